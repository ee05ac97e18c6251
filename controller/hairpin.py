"""A pod reaching itself through a Service. It must not see itself as the sender, or it would answer past the switch:
such a connection's source becomes the node's address in the pod network, in a zone of its own, and the answer's
destination is translated back before the Service's own translation is undone. A node that reaches itself (a pod of
its own network, or the address that refuses) becomes an address that it does not have, likewise.
"""

from __future__ import annotations

from cluster.model import NODE_HAIRPINS, REFUSING_ADDRESSES, Cluster, Node, PodInterface
from controller.actions import Conntrack, Nat
from controller.flow import Flow, Rules
from controller.match import bits, ct_state, eth_type, ip_dst, ip_src
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
    """One flow per address of a pod or node, and two per family for the answers. On its node only."""
    if isinstance(subject, Node):
        return Rules(on={subject.name: (*_answers(subject), *_node_to_itself(subject))})
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


def _node_to_itself(node: Node) -> list[Flow]:
    """Its kernel would take a packet that has its own address on both ends for its own business, and answer by lo."""
    flows = []
    for gateway in node.gateway_addresses:
        version = gateway.version
        from_node, family, to_self = bits(SOURCE, Source.NODE), eth_type(version), NODE_HAIRPINS[version]
        translate = (Conntrack(SNAT_ZONE, OUTPUT, commit=True, nat=Nat("src", to_self)),)
        own = [address for address in node.addresses if address.version == version]
        for address in (gateway, *own, REFUSING_ADDRESSES[version]):
            match = (from_node, family, ct_state("-rpl+trk"), ip_dst(address), bits(SERVICE_MARK, 1))
            flows.append(Flow(SNAT, PRIORITY_NORMAL, match, translate, Feature.HAIRPIN, f"Node {node.name}"))
        back = (Conntrack(SNAT_ZONE, CONNTRACK_ZONE_TABLE, nat=Nat()),)
        answers = (from_node, family, ip_dst(to_self))
        flows.append(Flow(UN_SNAT, PRIORITY_NORMAL, answers, back, Feature.HAIRPIN, f"Node {node.name}"))
    return flows


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
