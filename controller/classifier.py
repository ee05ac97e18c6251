"""Where a packet came in. Also loads what differs from node to node, so that all later flows are alike everywhere.

Pods and nodes send to the router's MAC and to no other: what is not sent to it (multicast, neighbour discovery,
ARP) is for nobody here and dropped.
"""

from __future__ import annotations

from cluster.model import GATEWAY_MAC, OF_PORT_TRUNK, OF_PORT_TUNNEL, Cluster, Node
from controller.actions import Goto, Load
from controller.flow import Flow, Rules
from controller.match import Match, eth_dst, eth_src, in_port
from controller.pipeline import (
    CLASSIFIER,
    CONNTRACK_ZONE,
    POLICY_GENERATION,
    PRIORITY_HIGH,
    PRIORITY_NORMAL,
    SNAT_ZONE,
    SOURCE,
    SPOOF_GUARD,
    Feature,
    Source,
    conntrack_zones,
)


def classifier(cluster: Cluster, node: Node, generation: int = 0) -> Rules:
    """One flow per way into the node's switch: from the node itself, from the tunnel, from pods."""
    zone, snat_zone = conntrack_zones(node.index)

    def flow(priority: int, match: Match, source: Source) -> Flow:
        loads = (
            Load(SOURCE, source),
            Load(CONNTRACK_ZONE, zone),
            Load(SNAT_ZONE, snat_zone),
            Load(POLICY_GENERATION, generation),
        )
        actions = (*loads, Goto(SPOOF_GUARD))
        return Flow(CLASSIFIER, priority, match, actions, Feature.CLASSIFIER, f"Node {node.name}")

    from_node = (in_port(OF_PORT_TRUNK), eth_src(node.gateway_mac), eth_dst(GATEWAY_MAC))
    flows = [
        flow(PRIORITY_HIGH, from_node, Source.NODE),
        flow(PRIORITY_NORMAL, (eth_dst(GATEWAY_MAC),), Source.POD),
    ]
    if cluster.network.mode == "overlay":
        from_tunnel = (in_port(OF_PORT_TUNNEL), eth_dst(node.tunnel_mac))
        flows.append(flow(PRIORITY_HIGH, from_tunnel, Source.TUNNEL))
    return Rules(on={node.name: tuple(flows)})
