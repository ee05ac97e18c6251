"""May this sender use this address? A pod: only its own MAC and addresses, on its own port. What else comes in
(through the node's kernel or the tunnel) may not pretend to be a pod of this node. Nothing matches: dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from cluster.model import Cluster, Node, PodInterface
from cluster.policy_names import Direction
from controller.actions import Action, Goto, Load
from controller.flow import Flow, Rules
from controller.match import bits, eth_src, eth_type, in_port, ip_src
from controller.pipeline import (
    EGRESS_ISOLATED,
    FROM_OUTSIDE,
    FROM_OWN_NODE,
    PRIORITY_HIGH,
    PRIORITY_LOW,
    PRIORITY_NORMAL,
    PRIORITY_TOP,
    SOURCE,
    SPOOF_GUARD,
    UN_SNAT,
    Feature,
    Source,
)


def spoof_guard(cluster: Cluster, subject: PodInterface | Node, isolated: Collection[Direction] = ()) -> Rules:
    """One flow per address of a pod; a few per IP family of a node. All on its node only."""
    if isinstance(subject, Node):
        return Rules(on={subject.name: (*_node_flows(subject), *_way_in_flows(cluster, subject))})
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


def _node_flows(node: Node) -> Iterator[Flow]:
    """What the node itself sends, by its own addresses."""
    families = {cidr.version for cidr in node.pod_cidrs}
    for address in dict.fromkeys((*node.gateway_addresses, *node.addresses)):
        if address.version in families:
            match = (bits(SOURCE, Source.NODE), eth_type(address.version), ip_src(address))
            actions = (Load(FROM_OWN_NODE, 1), Goto(UN_SNAT))
            yield Flow(SPOOF_GUARD, PRIORITY_TOP, match, actions, Feature.SPOOF_GUARD, f"Node {node.name}")


def _way_in_flows(cluster: Cluster, node: Node) -> Iterator[Flow]:
    """What comes through its kernel or the tunnel. Pods' packets come through the kernel in direct mode only, all
    others that do are the outside's."""
    through_kernel = cluster.network.mode == "direct"
    for pod_cidr, pods in zip(node.pod_cidrs, cluster.pod_subnets, strict=True):
        from_node, from_tunnel = (
            (bits(SOURCE, source), eth_type(pod_cidr.version)) for source in (Source.NODE, Source.TUNNEL)
        )
        for priority, match, actions in (
            (PRIORITY_HIGH, (*from_node, ip_src(pod_cidr)), ()),
            (PRIORITY_HIGH, (*from_tunnel, ip_src(pod_cidr)), ()),
            (PRIORITY_NORMAL, (*from_node, ip_src(pods)), (Goto(UN_SNAT),) if through_kernel else ()),
            (PRIORITY_LOW, from_node, (Load(FROM_OUTSIDE, 1), Goto(UN_SNAT))),
            (PRIORITY_LOW, from_tunnel, (Goto(UN_SNAT),)),
        ):
            yield Flow(SPOOF_GUARD, priority, match, actions, Feature.SPOOF_GUARD, f"Node {node.name}")
