"""Does a new connection get from one pod to another? Asked of real switches, which hold what was compiled, by
ofproto/trace: on the sender's node, and then on the receiver's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cluster.model import GATEWAY_MAC, OF_PORT_TRUNK, OF_PORT_TUNNEL, IPAddress, PodInterface
from cluster.policy_names import Direction, RuleName
from controller.compiler import Compiler
from controller.dummy_switch import DummySwitch
from controller.flow import Flow
from controller.pipeline import OUTPUT, Feature
from controller.policies import DENYING
from controller.state import NetworkState

ECHO = "ICMP"
"""The protocol of a question without a port: an echo request."""
CLIENT_PORT = 40000
"""Where the connections that are asked about come from."""
_STEP = re.compile(r"^\s*(\d+)\. .*?priority \d+(?:, cookie (0x[0-9a-f]+))?$", re.MULTILINE)
_ADDRESSES = {4: "nw_src={},nw_dst={}", 6: "ipv6_src={},ipv6_dst={}"}
_KIND = {4: "{}", 6: "{}6"}
_ECHO_REQUEST = {4: "icmp,icmp_type=8,icmp_code=0", 6: "icmp6,icmpv6_type=128,icmpv6_code=0"}


@dataclass(frozen=True, slots=True)
class Answer:
    """`node` and `table` are where the last decision fell. `allowed_by`: the rules that let it pass, on its way.

    `isolated_by`: the policies of the pod that could not be left or reached, in that `direction`.
    """

    reaches: bool
    node: str = ""
    table: str = ""
    allowed_by: tuple[RuleName, ...] = ()
    isolated_by: tuple[str, ...] = ()
    direction: Direction | None = None
    ip_version: int = 4


@dataclass(frozen=True, slots=True)
class Asker:
    """`switch` holds the tables of `compiler`."""

    switch: DummySwitch
    state: NetworkState
    compiler: Compiler

    def ask(self, source: PodInterface, target: PodInterface, protocol: str, port: int, ip_version: int) -> Answer:
        if source == target:
            # Its own address is local in its namespace: such a packet never meets a switch.
            return Answer(True)
        packet = self._packet(_address(source, ip_version), _address(target, ip_version), protocol, port)
        entry = f"in_port={source.of_port},dl_src={source.mac},dl_dst={GATEWAY_MAC}"
        sent = self._trace(source.node, f"{entry},{packet}")
        if sent[-1].table != OUTPUT or source.node == target.node:
            return self._answer(source.node, source, target, sent)
        received = self._trace(target.node, f"{self._arrival(target.node)},{packet}")
        answer = self._answer(target.node, source, target, received)
        return Answer(
            answer.reaches, answer.node, answer.table, (*self._rules(source.node, sent), *answer.allowed_by),
            answer.isolated_by, answer.direction,
        )  # fmt: skip

    def _packet(self, source: IPAddress, target: IPAddress, protocol: str, port: int) -> str:
        addresses = _ADDRESSES[source.version].format(source, target)
        if protocol == ECHO:
            return f"{_ECHO_REQUEST[source.version]},{addresses},nw_ttl=63"
        name = protocol.lower()
        ports = f"{name}_src={CLIENT_PORT},{name}_dst={port}"
        return f"{_KIND[source.version].format(name)},{addresses},nw_ttl=63,{ports}"

    def _arrival(self, name: str) -> str:
        """How another node's packets come in: through the tunnel, or by the node's kernel."""
        node = self.state.cluster.node_by_name[name]
        if self.state.cluster.network.mode == "overlay":
            return f"in_port={OF_PORT_TUNNEL},dl_src={GATEWAY_MAC},dl_dst={node.tunnel_mac}"
        return f"in_port={OF_PORT_TRUNK},dl_src={node.gateway_mac},dl_dst={GATEWAY_MAC}"

    def _trace(self, node: str, packet: str) -> list[Flow]:
        """The flows that it meets, in order."""
        flows = self.compiler.tables[node].flows
        text = self.switch.trace(self.state.cluster.node_by_name[node].bridge, packet)
        return [flows[key] for key in _keys(text)]

    def _answer(self, node: str, source: PodInterface, target: PodInterface, steps: list[Flow]) -> Answer:
        last = steps[-1].table
        direction = DENYING.get(last)
        subject = source if direction == "egress" else target
        isolated_by = tuple(self.compiler.policies.isolating(subject.key, direction)) if direction else ()
        return Answer(last == OUTPUT, node, last, self._rules(node, steps), isolated_by, direction)

    def _rules(self, node: str, steps: list[Flow]) -> tuple[RuleName, ...]:
        judged = (step for step in steps if step.feature == Feature.POLICIES)
        return tuple(rule for step in judged for rule in self.compiler.policies.rules_behind(node, step))


def _keys(trace: str) -> Iterator[tuple[int, int]]:
    for table, cookie in _STEP.findall(trace):
        yield int(table), int(cookie or "0", 16)


def _address(pod: PodInterface, ip_version: int) -> IPAddress:
    return next(address for address in pod.addresses if address.version == ip_version)


