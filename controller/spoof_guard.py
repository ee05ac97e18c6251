"""May this sender use this address? A pod: only its own MAC and addresses, on its own port. What else comes in
(through the node's kernel or the tunnel) may not pretend to be a pod of this node. Nothing matches: dropped.
"""

from __future__ import annotations

from collections.abc import Collection

from cluster.model import Node, PodInterface
from cluster.policy_names import Direction
from controller.actions import Action, Goto, Load
from controller.flow import Flow, Rules
from controller.match import bits, eth_src, eth_type, in_port, ip_src
from controller.pipeline import (
    EGRESS_ISOLATED,
    FROM_OWN_NODE,
    PRIORITY_HIGH,
    PRIORITY_LOW,
    PRIORITY_NORMAL,
    SOURCE,
    SPOOF_GUARD,
    UN_SNAT,
    Feature,
    Source,
)


def spoof_guard(subject: PodInterface | Node, isolated: Collection[Direction] = ()) -> Rules:
    """One flow per address of a pod; a few per IP family of a node. All on its node only."""
    if isinstance(subject, Node):
        return Rules(on={subject.name: tuple(_node_flows(subject))})
    mark: tuple[Action, ...] = (Load(EGRESS_ISOLATED, 1),) if "egress" in isolated else ()
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
            (*mark, Goto(UN_SNAT)),
            Feature.SPOOF_GUARD,
            f"Pod {subject.key}",
        )
        for address in subject.addresses
    )
    return Rules(on={subject.node: tuple(flows)})


def _node_flows(node: Node) -> list[Flow]:
    owner = f"Node {node.name}"
    flows = []
    from_node, from_tunnel = bits(SOURCE, Source.NODE), bits(SOURCE, Source.TUNNEL)
    families = {cidr.version for cidr in node.pod_cidrs}
    for address in dict.fromkeys((*node.gateway_addresses, *node.addresses)):
        if address.version in families:
            own = (from_node, eth_type(address.version), ip_src(address))
            actions = (Load(FROM_OWN_NODE, 1), Goto(UN_SNAT))
            flows.append(Flow(SPOOF_GUARD, PRIORITY_HIGH, own, actions, Feature.SPOOF_GUARD, owner))
    for pod_cidr in node.pod_cidrs:
        family = eth_type(pod_cidr.version)
        for way_in in (from_node, from_tunnel):
            local, other = (way_in, family, ip_src(pod_cidr)), (way_in, family)
            flows.append(Flow(SPOOF_GUARD, PRIORITY_NORMAL, local, (), Feature.SPOOF_GUARD, owner))
            flows.append(Flow(SPOOF_GUARD, PRIORITY_LOW, other, (Goto(UN_SNAT),), Feature.SPOOF_GUARD, owner))
    return flows
