"""A pod reaching itself through a Service. It must not see itself as the sender, or it would answer past the switch:
such a connection's source becomes the node's address in the pod network, in a zone of its own, and the answer's
destination is translated back before the Service's own translation is undone.
"""

from __future__ import annotations

from cluster.model import Cluster, Node, PodInterface
from controller.actions import Conntrack, Nat
from controller.flow import Flow, Rules
from controller.match import bits, eth_type, ip_dst, ip_src
from controller.pipeline import (
    CONNTRACK_ZONE_TABLE,
    OUTPUT,
    PRIORITY_NORMAL,
    SERVICE_MARK,
    SNAT,
    SNAT_ZONE,
    SOURCE,
    UN_SNAT,
    Feature,
    Source,
)


def hairpin(cluster: Cluster, subject: PodInterface | Node) -> Rules:
    """One flow per address of a pod, and one per family for the answers. On its node only."""
    if isinstance(subject, Node):
        return Rules(on={subject.name: tuple(_answers(subject))})
    node = cluster.node_by_name[subject.node]
    gateways = {address.version: address for address in node.gateway_addresses}
    flows = (
        Flow(
            SNAT,
            PRIORITY_NORMAL,
            (eth_type(address.version), ip_src(address), ip_dst(address), bits(SERVICE_MARK, 1)),
            (Conntrack(SNAT_ZONE, OUTPUT, commit=True, nat=Nat("src", gateways[address.version])),),
            Feature.HAIRPIN,
            f"Pod {subject.key}",
        )
        for address in subject.addresses
    )
    return Rules(on={subject.node: tuple(flows)})


def _answers(node: Node) -> list[Flow]:
    actions = (Conntrack(SNAT_ZONE, CONNTRACK_ZONE_TABLE, nat=Nat()),)
    return [
        Flow(
            UN_SNAT,
            PRIORITY_NORMAL,
            (bits(SOURCE, Source.POD), eth_type(address.version), ip_dst(address)),
            actions,
            Feature.HAIRPIN,
            f"Node {node.name}",
        )
        for address in node.gateway_addresses
    ]
