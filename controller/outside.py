"""The world outside the cluster: what of it gets in, and as whom the cluster's own packets go out (decision 013).

In: a new connection from outside reaches what a Service exposes, and the node's own kernel; nothing else. If the
endpoint is on another node, the connection seems to come from this one, or the answers would not come back here.
Out: what pods send to the outside seems to come from their node. Either way the source ports are of
MASQUERADE_PORTS, which the node's kernel never takes, so answers to them are the switch's to translate back.
"""

from __future__ import annotations

from collections.abc import Iterator

from cluster.model import MASQUERADE_PORTS, Cluster, IPAddress, Node
from controller.actions import Conntrack, Goto, Load, Nat
from controller.flow import Flow, Rules
from controller.match import (
    Match,
    bits,
    ct_state,
    eth_type,
    ip_dst,
    ip_proto,
    ip_src,
    masked_transport_dst,
)
from controller.pipeline import (
    CONNTRACK_ZONE,
    CONNTRACK_ZONE_TABLE,
    DESTINATION,
    EGRESS_POLICY,
    FROM_OUTSIDE,
    NODE_ADDRESS,
    NODE_ADDRESS_TABLE,
    OUTPUT,
    PRIORITY_BELOW_NORMAL,
    PRIORITY_GUARD,
    PRIORITY_LOW,
    PRIORITY_NORMAL,
    PRIORITY_TOP,
    SERVICE_LB,
    SERVICE_MARK,
    SNAT,
    SNAT_ZONE,
    SOURCE,
    UN_SNAT,
    Destination,
    Feature,
    Source,
)
from controller.policy_matches import masked

ICMP = {4: "ICMP", 6: "IPv6-ICMP"}


def outside(cluster: Cluster, node: Node | None = None) -> Rules:
    """Of the cluster: what may come in, and one flow per node address. Of a node: some twenty per IP family, on it."""
    if node is None:
        return Rules(everywhere=(*_node_addresses(cluster), *_ways_in(cluster)))
    return Rules(on={node.name: (*_masquerade(cluster, node), *_answers(node))})


def _node_addresses(cluster: Cluster) -> Iterator[Flow]:
    for node in cluster.nodes:
        for address in node.addresses:
            match = (eth_type(address.version), ip_dst(address))
            actions = (Load(NODE_ADDRESS, 1),)
            yield Flow(NODE_ADDRESS_TABLE, PRIORITY_NORMAL, match, actions, Feature.OUTSIDE, f"Node {node.name}")


def _ways_in(cluster: Cluster) -> Iterator[Flow]:
    """Whoever is outside knows no pod and no cluster address, though a route may lead here."""
    owner, from_outside = f"Cluster {cluster.name}", bits(FROM_OUTSIDE, 1)
    for subnet in (*cluster.pod_subnets, *cluster.service_subnets):
        match = (from_outside, eth_type(subnet.version), ip_dst(subnet))
        yield Flow(SERVICE_LB, PRIORITY_TOP, match, (), Feature.OUTSIDE, owner)
    yield Flow(SERVICE_LB, PRIORITY_LOW, (from_outside, bits(NODE_ADDRESS, 0)), (), Feature.OUTSIDE, owner)
    if cluster.network.mode == "direct":
        for node in cluster.nodes:
            for address, pods in zip(node.addresses, cluster.pod_subnets, strict=True):
                family = eth_type(address.version)
                to_pods = (from_outside, family, ip_src(address), ip_dst(pods))
                yield Flow(
                    SERVICE_LB, PRIORITY_GUARD, to_pods, (Goto(EGRESS_POLICY),), Feature.OUTSIDE, f"Node {node.name}"
                )


def _masquerade(cluster: Cluster, node: Node) -> Iterator[Flow]:
    gateways = {address.version: address for address in node.gateway_addresses}
    for address in node.addresses:
        version = address.version
        if version not in gateways:
            continue
        family, original, outwards = eth_type(version), ct_state("-rpl+trk"), bits(DESTINATION, Destination.OUTSIDE)
        as_node, unknown = _seeming(address), (family, outwards, ct_state("+inv+trk"))
        fresh = (family, outwards, ct_state("+new-rpl-inv+trk"), bits(SERVICE_MARK, 0))
        # Its own zone must know the connection as it came, for policies that are created later.
        known = Conntrack(CONNTRACK_ZONE, None, commit=True)
        yield _on(node, SNAT, PRIORITY_LOW, (family, outwards, ct_state("-rpl-inv+trk")), as_node)
        yield _on(node, SNAT, PRIORITY_BELOW_NORMAL, fresh, known, as_node)
        # Of no connection that is known: nobody outside may see a pod's address for that.
        yield _on(node, SNAT, PRIORITY_LOW, unknown)
        away = Destination.TUNNEL if cluster.network.mode == "overlay" else Destination.PEER
        brought = (bits(FROM_OUTSIDE, 1), bits(SERVICE_MARK, 1), family, original, bits(DESTINATION, away))
        yield _on(node, SNAT, PRIORITY_LOW, brought, _seeming(gateways[version]))


def _seeming(address: IPAddress) -> Conntrack:
    nat = Nat("src", address, MASQUERADE_PORTS[0], MASQUERADE_PORTS[-1])
    return Conntrack(SNAT_ZONE, OUTPUT, commit=True, nat=nat)


def _answers(node: Node) -> Iterator[Flow]:
    """By the kernel: to the ports that are the switch's. By the tunnel: all to the gateway address."""
    for own in (*node.addresses, *node.gateway_addresses):
        family = eth_type(own.version)
        for transport in _masquerade_ports(own.version):
            yield _back(node, (bits(SOURCE, Source.NODE), family, ip_dst(own), *transport))
    for gateway in node.gateway_addresses:
        yield _back(node, (bits(SOURCE, Source.TUNNEL), eth_type(gateway.version), ip_dst(gateway)))


def _masquerade_ports(ip_version: int) -> Iterator[Match]:
    for protocol in ("TCP", "UDP", "SCTP"):
        for port, mask in masked(MASQUERADE_PORTS[0], MASQUERADE_PORTS[-1]):
            yield ip_proto(protocol), masked_transport_dst(protocol, port, mask)
    yield (ip_proto(ICMP[ip_version]),)


def _back(node: Node, match: Match) -> Flow:
    return _on(node, UN_SNAT, PRIORITY_NORMAL, match, Conntrack(SNAT_ZONE, CONNTRACK_ZONE_TABLE, nat=Nat()))


def _on(node: Node, table: str, priority: int, match: Match, *actions: Conntrack) -> Flow:
    return Flow(table, priority, match, actions, Feature.OUTSIDE, f"Node {node.name}")
