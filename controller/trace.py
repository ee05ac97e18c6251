"""The way of one packet: table by table in the switch of every node that it crosses, in the words of manifests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Literal

from cluster.model import GATEWAY_MAC, OF_PORT_TRUNK, OF_PORT_TUNNEL, REFUSING_ADDRESSES, Cluster, IPAddress, Node
from cluster.policy_names import RuleName
from controller.actions import Conntrack
from controller.compiler import Compiler
from controller.flow import Flow
from controller.pipeline import ENDPOINT_DNAT, PIPELINE, SERVICE_LB
from controller.policies import DENYING
from controller.state import NetworkState
from controller.trace_text import Traced, TracedStep, parse

Ask = Callable[[str, str], str]
"""(bridge, packet as ovs-ofctl writes it) -> what ofproto/trace prints."""
MAX_HOPS = 8
Verdict = Literal["delivered", "refused", "dropped", "denied", "leaves the cluster"]
"""Denied: dropped, because a policy isolates a pod."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A new connection's first packet as it comes into a node's switch. Ports are None for protocols without."""

    node: str
    in_port: int
    eth_src: str
    eth_dst: str
    protocol: str
    source: IPAddress
    destination: IPAddress
    source_port: int
    destination_port: int
    ttl: int = 64

    def text(self, dp_hash: int | None = None) -> str:
        name = self.protocol.lower()
        six = self.source.version == 6
        ip = "ipv6" if six else "nw"
        parts = [
            f"in_port={self.in_port}", f"dl_src={self.eth_src}", f"dl_dst={self.eth_dst}", f"{name}{6 if six else ''}",
            f"{ip}_src={self.source}", f"{ip}_dst={self.destination}", f"nw_ttl={self.ttl}",
            f"{name}_src={self.source_port}", f"{name}_dst={self.destination_port}",
        ]  # fmt: skip
        return ",".join(parts + ([f"dp_hash={dp_hash}"] if dp_hash else []))


@dataclass(frozen=True, slots=True)
class Step:
    """`owner` is the object behind the flow, `note` what it means here; both "" where no flow matched.

    `rules` are those of policies that let the packet pass here.
    """

    table: str
    match: str
    owner: str
    note: str
    actions: tuple[str, ...]
    rules: tuple[RuleName, ...] = ()


@dataclass(frozen=True, slots=True)
class Hop:
    node: str
    steps: tuple[Step, ...]
    end: str


@dataclass(frozen=True, slots=True)
class Way:
    """`at`: "Pod shop/web-1 on worker2", "Node worker"; `address` and `port` as the receiver sees them."""

    hops: tuple[Hop, ...]
    verdict: Verdict
    at: str
    address: IPAddress
    port: int


@dataclass(frozen=True)
class Tracer:
    """`compiler` has what the switches hold, to say whose a flow is. `dp_hash` chooses among equal endpoints."""

    state: NetworkState
    compiler: Compiler
    ask: Ask
    dp_hash: int = 1
    _hops: list[Hop] = field(default_factory=list)

    def way(self, probe: Probe) -> Way:
        """Raises ValueError when a switch does not say where a packet went, or it goes in circles."""
        for _ in range(MAX_HOPS):
            traced = self._traced(probe)
            after = _after(probe, traced)
            verdict, at, onward = self._next(after, traced)
            steps = tuple(self._steps(probe.node, traced))
            self._hops.append(Hop(probe.node, steps, at))
            if onward is None:
                return Way(tuple(self._hops), verdict, at, after.destination, after.destination_port)
            probe = onward
        raise ValueError(f"the packet crosses more than {MAX_HOPS} switches")

    @property
    def _cluster(self) -> Cluster:
        return self.state.cluster

    def _traced(self, probe: Probe) -> Traced:
        bridge = self._cluster.node_by_name[probe.node].bridge
        traced = parse(self.ask(bridge, probe.text()))
        return parse(self.ask(bridge, probe.text(self.dp_hash))) if traced.needs_hash else traced

    def _next(self, after: Probe, traced: Traced) -> tuple[Verdict, str, Probe | None]:
        """What becomes of what left the switch: (verdict, where, the next switch's packet if there is one)."""
        node = self._cluster.node_by_name[after.node]
        if traced.out_port is None:
            table = PIPELINE[traced.steps[-1].table_id].name
            return "denied" if table in DENYING else "dropped", f"dropped in {table} on {node.name}", None
        if traced.out_port == OF_PORT_TUNNEL:
            far = next(each for each in self._cluster.nodes if each.tunnel_mac == after.eth_dst)
            return "delivered", f"through the tunnel to {far.name}", replace(
                after, node=far.name, in_port=OF_PORT_TUNNEL
            )
        if traced.out_port == OF_PORT_TRUNK and after.eth_dst == node.gateway_mac:
            return self._in_kernel(node, after)
        for pod in self.state.pods.values():
            if pod.node == node.name and pod.mac == after.eth_dst:
                return "delivered", f"Pod {pod.key} on {node.name}", None
        raise ValueError(f"nobody on {node.name} has {after.eth_dst}")

    def _in_kernel(self, node: Node, after: Probe) -> tuple[Verdict, str, Probe | None]:
        """The node's own network stack has it: it is for this node, or routed."""
        if after.destination == REFUSING_ADDRESSES[after.destination.version]:
            return "refused", f"the kernel of {node.name} refuses", None
        for each in self._cluster.nodes:
            if after.destination in (*each.addresses, *each.gateway_addresses):
                return "delivered", f"Node {each.name}", None
            if each is not node and any(after.destination in cidr for cidr in each.pod_cidrs):
                onward = replace(after, node=each.name, in_port=OF_PORT_TRUNK)
                return "delivered", f"over the underlay to {each.name}", replace(
                    onward, eth_src=each.gateway_mac, eth_dst=GATEWAY_MAC
                )
        return "leaves the cluster", f"by the kernel of {node.name}", None

    def _steps(self, node: str, traced: Traced) -> Iterator[Step]:
        for step in traced.steps:
            flow = self.compiler.tables[node].flows.get((step.table_id, step.cookie or 0))
            owner = flow.owner if flow else ""
            rules = tuple(self.compiler.policies.rules_behind(node, flow)) if flow else ()
            note, actions = self._note(step, flow), tuple(step.actions)
            yield Step(PIPELINE[step.table_id].name, step.match, owner, note, actions, rules)

    def _note(self, step: TracedStep, flow: Flow | None) -> str:
        if flow is None:
            return "" if step.cookie is None else "learned by the switch"
        conntrack = next((action for action in flow.actions if isinstance(action, Conntrack)), None)
        translated = conntrack.nat if conntrack else None
        if translated and translated.address in REFUSING_ADDRESSES.values():
            return "no endpoints: refused"
        if flow.table == ENDPOINT_DNAT and translated and translated.address:
            return f"endpoint {_with_port(translated.address, translated.port)}{self._whose(translated.address)}"
        return self._service_port(flow) if flow.table == SERVICE_LB else ""

    def _whose(self, address: IPAddress) -> str:
        for pod in self.state.pods.values():
            if address in pod.addresses:
                return f" (Pod {pod.key} on {pod.node})"
        owners = (node for node in self._cluster.nodes if address in node.addresses)
        return "".join(f" (Node {node.name})" for node in owners)

    def _service_port(self, flow: Flow) -> str:
        values = {part.field: part.value for part in flow.match}
        service = self.state.services.get(flow.owner.removeprefix("Service "))
        number = next((values[name] for name in ("tcp_dst", "udp_dst", "sctp_dst") if name in values), None)
        for port in service.ports if service else ():
            if port.service_port == number and f"{port.protocol.lower()}_dst" in values:
                return f"port {port.name or port.service_port}"
        return ""


def _with_port(address: IPAddress, port: int | None) -> str:
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def _after(probe: Probe, traced: Traced) -> Probe:
    """The packet as it left, or was dropped."""
    found, name = traced.packet, probe.protocol.lower()
    ip = "ipv6" if probe.source.version == 6 else "nw"

    def port(which: str, before: int) -> int:
        return int(found.get(f"{name}_{which}", found.get(f"tp_{which}", str(before))))

    return replace(
        probe,
        eth_src=found.get("dl_src", probe.eth_src),
        eth_dst=found.get("dl_dst", probe.eth_dst),
        source=ip_address(found.get(f"{ip}_src", str(probe.source))),
        destination=ip_address(found.get(f"{ip}_dst", str(probe.destination))),
        source_port=port("src", probe.source_port),
        destination_port=port("dst", probe.destination_port),
        ttl=int(found.get("nw_ttl", probe.ttl)),
    )
