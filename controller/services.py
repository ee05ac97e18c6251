"""A Service's address -> one of its endpoints, decided once per connection (decision 010).

ServiceLB finds the Service port and draws a number below the count of its endpoints; EndpointDNAT has a flow for each
number. Addresses of the service range that belong to no Service, and ports that a Service does not have, are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cluster.model import REFUSING_ADDRESSES, REFUSING_PORT, Cluster, IPAddress
from controller.actions import Action, Conntrack, Goto, Load, Nat, Resubmit
from controller.affinity import learn
from controller.balancing import draw
from controller.flow import Flow, Group, Rules, Translation, digest
from controller.match import Match, bits, eth_type, ip_dst, ip_proto, transport_dst
from controller.pipeline import (
    CONNTRACK_ZONE,
    EGRESS_POLICY,
    ENDPOINT,
    ENDPOINT_BY,
    ENDPOINT_DNAT,
    PRIORITY_HIGH,
    PRIORITY_LOW,
    PRIORITY_NORMAL,
    SERVICE_LB,
    SERVICE_MARK,
    SERVICE_PORT,
    EndpointBy,
    Feature,
)
from controller.service_endpoints import Choice, Target, choice, targets
from controller.state import EndpointSlice, Service, ServicePort


@dataclass(frozen=True, slots=True)
class _Frontend:
    """One port of a Service at one of its addresses."""

    service: Service
    port: ServicePort
    address: IPAddress

    @property
    def owner(self) -> str:
        return f"Service {self.service.key}"

    @property
    def identity(self) -> int:
        """The same whatever address and number the port has: endpoints do not change with them."""
        words = (self.service.key, self.port.name, self.port.protocol, str(self.address.version))
        return digest(" ".join(words).encode(), SERVICE_PORT.width)

    @property
    def transport(self) -> Match:
        return (eth_type(self.address.version), ip_proto(self.port.protocol))


def services(subject: Service | Cluster, slices: Iterable[EndpointSlice] = (), cluster: Cluster | None = None) -> Rules:
    """One flow per port and address of a Service and one per endpoint (two with affinity); one per service range.

    On every node, but for what each node's clients have their own endpoints for.
    """
    if isinstance(subject, Cluster):
        return Rules(everywhere=tuple(_range_flows(subject)))
    slices, parts = tuple(slices), []
    for address in subject.cluster_ips:
        for port in subject.ports:
            frontend = _Frontend(subject, port, address)
            parts.append(_frontend_rules(frontend, targets(port, address.version, slices), cluster))
    return _joined(parts)


def _frontend_rules(frontend: _Frontend, found: Sequence[Target], cluster: Cluster | None) -> Rules:
    service, nodes = frontend.service, cluster.nodes if cluster else ()
    differs = nodes and (service.internal_traffic_is_local or service.uses_hints)
    choices = {node.name: choice(service, found, node) for node in (nodes if differs else nodes[:1])}
    made = {each: _flows(frontend, each) for each in dict.fromkeys(choices.values())}
    groups = {group.group_id: group for _, group in made.values() if group}
    translations = _translations(frontend, found, choices.values())
    if not differs:
        everywhere = next(iter(made.values()))[0] if made else ()
        return Rules(everywhere, tuple(groups.values()), translations=translations)
    on = {node: made[chosen][0] for node, chosen in choices.items()}
    return Rules(groups=tuple(groups.values()), on=on, translations=translations)


def _joined(parts: Iterable[Rules]) -> Rules:
    parts = tuple(parts)
    on: dict[str, tuple[Flow, ...]] = {}
    for part in parts:
        for node, flows in part.on.items():
            on[node] = on.get(node, ()) + flows
    return Rules(
        tuple(flow for part in parts for flow in part.everywhere),
        tuple({group.group_id: group for part in parts for group in part.groups}.values()),
        on,
        frozenset().union(*(part.translations for part in parts)),
    )


def _flows(frontend: _Frontend, chosen: Choice) -> tuple[tuple[Flow, ...], Group | None]:
    """The flows of one frontend for one choice of endpoints, and the group that they need."""
    if not chosen.targets:
        refusal = _translate(REFUSING_ADDRESSES[frontend.address.version], REFUSING_PORT)
        return (_lb(frontend, () if chosen.dropped else (refusal,)),), None
    known = Load(SERVICE_PORT, frontend.identity)
    affinity = frontend.service.affinity_timeout_s is not None
    drawn, group = draw(len(chosen.targets), frontend.port.protocol, affinity)
    flows = [_lb(frontend, (known, *drawn))]
    if not affinity:
        flows += [_by_number(frontend, number, (_translate(*to),)) for number, to in enumerate(chosen.targets)]
    else:
        again = (bits(ENDPOINT_BY, EndpointBy.AFFINITY),)
        flows.append(_lb(frontend, (known, Goto(ENDPOINT_DNAT)), again, PRIORITY_HIGH))
        for number, to in enumerate(chosen.targets):
            flows += _with_affinity(frontend, number, *to)
    return tuple(flows), group


def _with_affinity(frontend: _Frontend, number: int, address: IPAddress, target_port: int) -> Iterable[Flow]:
    """By number, and by a digest of the address: numbers change, what clients were given must not."""
    key = digest(address.packed + target_port.to_bytes(2, "big"), ENDPOINT.width)
    found = (Load(ENDPOINT_BY, EndpointBy.AFFINITY), Load(ENDPOINT, key))
    yield _by_number(frontend, number, (*found, Resubmit(ENDPOINT_DNAT)))
    match = (
        *frontend.transport,
        bits(SERVICE_PORT, frontend.identity),
        bits(ENDPOINT_BY, EndpointBy.AFFINITY),
        bits(ENDPOINT, key),
    )
    timeout_s = frontend.service.affinity_timeout_s or 0
    remember = learn(frontend.address.version, frontend.port.protocol, timeout_s, frontend.identity ^ key, found)
    actions = (remember, _translate(address, target_port))
    yield Flow(ENDPOINT_DNAT, PRIORITY_NORMAL, match, actions, Feature.SERVICES, frontend.owner)


def _by_number(frontend: _Frontend, number: int, actions: tuple[Action, ...]) -> Flow:
    match = (
        *frontend.transport,
        bits(SERVICE_PORT, frontend.identity),
        bits(ENDPOINT_BY, EndpointBy.NUMBER),
        bits(ENDPOINT, number),
    )
    return Flow(ENDPOINT_DNAT, PRIORITY_NORMAL, match, actions, Feature.SERVICES, frontend.owner)


def _lb(
    frontend: _Frontend, actions: tuple[Action, ...], further: Match = (), priority: int = PRIORITY_NORMAL
) -> Flow:
    port = frontend.port
    match = (*frontend.transport, ip_dst(frontend.address), transport_dst(port.protocol, port.service_port), *further)
    return Flow(SERVICE_LB, priority, match, actions, Feature.SERVICES, frontend.owner)


def _translate(address: IPAddress, port: int) -> Conntrack:
    translation, mark = Nat("dst", address, port), Load(SERVICE_MARK, 1)
    return Conntrack(CONNTRACK_ZONE, EGRESS_POLICY, commit=True, nat=translation, mark=mark)


def _translations(
    frontend: _Frontend, found: Iterable[Target], choices: Iterable[Choice]
) -> frozenset[Translation]:
    """What may stand in a connection table, for UDP, whose connections never say that they end."""
    if frontend.port.protocol != "UDP":
        return frozenset()
    reached = {target.identity for target in found if target.endpoint.ready or target.endpoint.serving}
    for chosen in choices:
        if not chosen.targets and not chosen.dropped:
            reached.add((REFUSING_ADDRESSES[frontend.address.version], REFUSING_PORT))
    return frozenset(
        Translation("UDP", frontend.address, frontend.port.service_port, address, port) for address, port in reached
    )


def _range_flows(cluster: Cluster) -> Iterable[Flow]:
    for subnet in cluster.service_subnets:
        match = (eth_type(subnet.version), ip_dst(subnet))
        yield Flow(SERVICE_LB, PRIORITY_LOW, match, (), Feature.SERVICES, f"Cluster {cluster.name}")
