"""May this sender use this address? A pod: only its own MAC and addresses, on its own port. What else comes in
(through the node's kernel or the tunnel) may not pretend to be a pod of this node. Nothing matches: dropped.
"""

from __future__ import annotations

from cluster.model import Node, PodInterface
from controller.actions import Goto
from controller.flow import Flow, Rules
from controller.match import bits, eth_src, eth_type, in_port, ip_src
from controller.pipeline import (
    PRIORITY_HIGH,
    PRIORITY_LOW,
    PRIORITY_NORMAL,
    SOURCE,
    SPOOF_GUARD,
    UN_SNAT,
    Feature,
    Source,
)


def spoof_guard(subject: PodInterface | Node) -> Rules:
    """One flow per address of a pod; a few per IP family of a node. All on its node only."""
    if isinstance(subject, Node):
        return Rules(on={subject.name: tuple(_node_flows(subject))})
    flows = (
        Flow(
            SPOOF_GUARD,
            PRIORITY_NORMAL,
            (
                in_port(subject.of_port),
                eth_src(subject.mac),
                bits(SOURCE, Source.POD),
                eth_type(address.version),
                ip_src(address),
            ),
            (Goto(UN_SNAT),),
            Feature.SPOOF_GUARD,
            f"Pod {subject.key}",
        )
        for address in subject.addresses
    )
    return Rules(on={subject.node: tuple(flows)})


def _node_flows(node: Node) -> list[Flow]:
    owner = f"Node {node.name}"
    flows = []
    for address, pod_cidr in zip(node.gateway_addresses, node.pod_cidrs, strict=True):
        family = eth_type(address.version)
        from_node, from_tunnel = bits(SOURCE, Source.NODE), bits(SOURCE, Source.TUNNEL)
        own = (from_node, family, ip_src(address))
        flows.append(Flow(SPOOF_GUARD, PRIORITY_HIGH, own, (Goto(UN_SNAT),), Feature.SPOOF_GUARD, owner))
        for way_in in (from_node, from_tunnel):
            local, other = (way_in, family, ip_src(pod_cidr)), (way_in, family)
            flows.append(Flow(SPOOF_GUARD, PRIORITY_NORMAL, local, (), Feature.SPOOF_GUARD, owner))
            flows.append(Flow(SPOOF_GUARD, PRIORITY_LOW, other, (Goto(UN_SNAT),), Feature.SPOOF_GUARD, owner))
    return flows
