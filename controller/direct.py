"""Direct mode: other nodes' pods, and those nodes' own addresses, are reached through the node's own kernel, which
routes them over the underlay without encapsulation.
"""

from __future__ import annotations

from cluster.model import Cluster, Node
from controller.actions import Goto, Load
from controller.flow import Flow, Rules
from controller.match import eth_type, ip_dst
from controller.pipeline import (
    DESTINATION,
    L3_DEC_TTL,
    L3_FORWARDING,
    PRIORITY_HIGH,
    PRIORITY_NORMAL,
    Destination,
    Feature,
)


def direct(cluster: Cluster, node: Node) -> Rules:
    """Two flows per IP family: the node's pod range and its underlay address; the same on every other node."""
    if cluster.network.mode != "direct":
        return Rules()
    actions = (Load(DESTINATION, Destination.PEER), Goto(L3_DEC_TTL))
    families = {cidr.version for cidr in node.pod_cidrs}
    routes = [(PRIORITY_NORMAL, cidr.version, ip_dst(cidr)) for cidr in node.pod_cidrs]
    routes += [(PRIORITY_HIGH, own.version, ip_dst(own)) for own in node.addresses if own.version in families]
    flows = tuple(
        Flow(L3_FORWARDING, priority, (eth_type(version), to), actions, Feature.DIRECT, f"Node {node.name}")
        for priority, version, to in routes
    )
    return Rules(on={other.name: flows for other in cluster.nodes if other is not node})
