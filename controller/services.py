"""A Service's address -> one of its endpoints, decided once per connection (decision 010).

ServiceLB finds the Service port and draws a number below the count of its endpoints; EndpointDNAT has a flow for each
number. Addresses of the service range that belong to no Service, and ports that a Service does not have, are dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from cluster.model import REFUSING_ADDRESSES, REFUSING_PORT, Cluster, IPAddress
from controller.actions import Action, Conntrack, Goto, Load, Nat, Resubmit
from controller.affinity import learn
from controller.balancing import draw
from controller.flow import Flow, Group, Rules, Translation, digest
from controller.match import Match, bits, eth_type, ip_dst, ip_proto
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
from controller.service_frontends import Claim, Frontend, frontends, limits
from controller.state import EndpointSlice, Service, ServicePort


@dataclass(frozen=True, slots=True)
class _Backend:
    """The endpoints of a Service's port, of one IP family, as those clients reach them that are not to leave their node
    (`local`), or all others."""

    service: Service
    port: ServicePort
    ip_version: int
    local: bool

    @property
    def owner(self) -> str:
        return f"Service {self.service.key}"

    @property
    def identity(self) -> int:
        """The same whatever addresses and numbers the port has: endpoints do not change with them."""
        words = (self.service.key, self.port.name, self.port.protocol, str(self.ip_version))
        made = digest(" ".join((*words, *(("local",) if self.local else ()))).encode(), SERVICE_PORT.width)
        return made | 1 << SERVICE_PORT.high

    @property
    def transport(self) -> Match:
        return (eth_type(self.ip_version), ip_proto(self.port.protocol))


def services(
    subject: Service | Cluster, slices: Iterable[EndpointSlice] = (), cluster: Cluster | None = None,
    taken: Collection[Claim] = (),
) -> Rules:  # fmt: skip
    """One flow per port and address of a Service and one per endpoint (two with affinity); one per service range.

    On every node, but for what each node's clients have their own endpoints for. `taken`: what is another Service's.
    """
    if isinstance(subject, Cluster):
        return Rules(everywhere=tuple(_range_flows(subject)))
    slices, parts = tuple(slices), []
    for ip_version in dict.fromkeys(address.version for address in subject.cluster_ips):
        for port in subject.ports:
            found = targets(port, ip_version, slices)
            ways = list(frontends(subject, port, ip_version, taken))
            for local in dict.fromkeys(way.local for way in ways):
                backend = _Backend(subject, port, ip_version, local)
                parts.append(_backend_rules(backend, [way for way in ways if way.local == local], found, cluster))
            parts.append(Rules(everywhere=tuple(_limit_flows(_Backend(subject, port, ip_version, False)))))
    return _joined(parts)


def _backend_rules(
    backend: _Backend, ways: Sequence[Frontend], found: Sequence[Target], cluster: Cluster | None
) -> Rules:
    nodes = cluster.nodes if cluster else ()
    differs = nodes and (backend.local or backend.service.uses_hints)
    choices = {
        node.name: choice(backend.service, found, node, backend.local) for node in (nodes if differs else nodes[:1])
    }
    made = {each: _flows(backend, ways, each) for each in dict.fromkeys(choices.values())}
    groups = {group.group_id: group for _, group in made.values() if group}
    everywhere = next(iter(made.values()))[0] if made and not differs else ()
    return Rules(
        everywhere,
        tuple(groups.values()),
        {node: made[chosen][0] for node, chosen in choices.items()} if differs else {},
        _translations(backend, ways, found, choices.values()),
        _taken_over(backend, ways),
    )


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
        frozenset().union(*(part.taken_over for part in parts)),
    )


def _flows(backend: _Backend, ways: Sequence[Frontend], chosen: Choice) -> tuple[tuple[Flow, ...], Group | None]:
    """The flows of one backend for one choice of endpoints, and the group that they need."""
    matches = [match for way in ways for match in way.matches]
    if not chosen.targets:
        refusal = () if chosen.dropped else (_translate(REFUSING_ADDRESSES[backend.ip_version], REFUSING_PORT),)
        return tuple(_lb(backend, match, refusal) for match in matches), None
    known = Load(SERVICE_PORT, backend.identity)
    affinity = backend.service.affinity_timeout_s is not None
    drawn, group = draw(len(chosen.targets), backend.port.protocol, affinity)
    flows = [_lb(backend, match, (known, *drawn)) for match in matches]
    if not affinity:
        flows += [_by_number(backend, number, (_translate(*to),)) for number, to in enumerate(chosen.targets)]
    else:
        again = bits(ENDPOINT_BY, EndpointBy.AFFINITY)
        flows += [_lb(backend, (*match, again), (known, Goto(ENDPOINT_DNAT)), PRIORITY_HIGH) for match in matches]
        for number, to in enumerate(chosen.targets):
            flows += _with_affinity(backend, number, *to)
    return tuple(flows), group


def _with_affinity(backend: _Backend, number: int, address: IPAddress, target_port: int) -> Iterable[Flow]:
    """By number, and by a digest of the address: numbers change, what clients were given must not."""
    key = digest(address.packed + target_port.to_bytes(2, "big"), ENDPOINT.width)
    found = (Load(ENDPOINT_BY, EndpointBy.AFFINITY), Load(ENDPOINT, key))
    yield _by_number(backend, number, (*found, Resubmit(ENDPOINT_DNAT)))
    match = (
        *backend.transport,
        bits(SERVICE_PORT, backend.identity),
        bits(ENDPOINT_BY, EndpointBy.AFFINITY),
        bits(ENDPOINT, key),
    )
    timeout_s = backend.service.affinity_timeout_s or 0
    remember = learn(backend.ip_version, backend.port.protocol, timeout_s, backend.identity ^ key, found)
    actions = (remember, _translate(address, target_port))
    yield Flow(ENDPOINT_DNAT, PRIORITY_NORMAL, match, actions, Feature.SERVICES, backend.owner)


def _by_number(backend: _Backend, number: int, actions: tuple[Action, ...]) -> Flow:
    match = (
        *backend.transport,
        bits(SERVICE_PORT, backend.identity),
        bits(ENDPOINT_BY, EndpointBy.NUMBER),
        bits(ENDPOINT, number),
    )
    return Flow(ENDPOINT_DNAT, PRIORITY_NORMAL, match, actions, Feature.SERVICES, backend.owner)


def _lb(backend: _Backend, match: Match, actions: tuple[Action, ...], priority: int = PRIORITY_NORMAL) -> Flow:
    return Flow(SERVICE_LB, priority, match, actions, Feature.SERVICES, backend.owner)


def _limit_flows(backend: _Backend) -> Iterable[Flow]:
    for match in limits(backend.service, backend.port, backend.ip_version):
        yield _lb(backend, match, (), PRIORITY_LOW)


def _translate(address: IPAddress, port: int) -> Conntrack:
    translation, mark = Nat("dst", address, port), Load(SERVICE_MARK, 1)
    return Conntrack(CONNTRACK_ZONE, EGRESS_POLICY, commit=True, nat=translation, mark=mark)


def _translations(
    backend: _Backend, ways: Iterable[Frontend], found: Iterable[Target], choices: Iterable[Choice]
) -> frozenset[Translation]:
    """What may stand in a connection table, for UDP, whose connections never say that they end."""
    if backend.port.protocol != "UDP":
        return frozenset()
    reached = {target.identity for target in found if target.endpoint.ready or target.endpoint.serving}
    for chosen in choices:
        if not chosen.targets and not chosen.dropped:
            reached.add((REFUSING_ADDRESSES[backend.ip_version], REFUSING_PORT))
    return frozenset(
        Translation("UDP", way.address, way.number, address, port) for way in ways for address, port in reached
    )


def _taken_over(backend: _Backend, ways: Iterable[Frontend]) -> frozenset[Translation]:
    """Who sent there before was the node's kernel's guest, or went outside, and is so as long as he sends. To cluster
    addresses nothing went: their range is dropped.
    """
    if backend.port.protocol != "UDP":
        return frozenset()
    return frozenset(
        Translation("UDP", way.address, way.number, way.address, way.number)
        for way in ways
        if way.address not in backend.service.cluster_ips
    )


def _range_flows(cluster: Cluster) -> Iterable[Flow]:
    for subnet in cluster.service_subnets:
        match = (eth_type(subnet.version), ip_dst(subnet))
        yield Flow(SERVICE_LB, PRIORITY_LOW, match, (), Feature.SERVICES, f"Cluster {cluster.name}")
