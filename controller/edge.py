"""The switch at the edge of the underlay: a load balancer's address -> a node, once per connection (decision 015).

The packet is sent on as it is, to the node's MAC; the node's switch knows the address, and its answers go straight to
the client. So the edge sees one direction only. It knows a TCP connection's node by the connection table, and if that
has forgotten it, or for UDP, by the same hash again. A node that does not answer (`edge_health`) has no flows here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from cluster.model import OF_PORT_EDGE, Cluster, Edge, Node
from controller.actions import (
    Action,
    ClearInPort,
    Conntrack,
    DecTTL,
    Goto,
    Load,
    Multipath,
    Output,
    SetField,
    ToController,
)
from controller.fields import ETH_TYPE_ARP
from controller.flow import Flow, FlowTable, digest
from controller.match import (
    MatchField,
    bits,
    eth_dst,
    eth_src,
    eth_type,
    in_port,
    ip_dst,
    ip_proto,
    tcp_begins,
    transport_dst,
)
from controller.outside import ICMP
from controller.pipeline import (
    CLASSIFIER,
    CONNTRACK_ZONE,
    EDGE_CONNECTION,
    EDGE_LB,
    EDGE_NODE,
    EDGE_ZONE,
    ENDPOINT,
    NODE_MARK,
    PIPELINE,
    PRIORITY_HIGH,
    PRIORITY_MISS,
    PRIORITY_NORMAL,
    SERVICE_PORT,
    Feature,
)
from controller.service_endpoints import targets
from controller.service_frontends import taken
from controller.state import NetworkState, Service, ServicePort

_BASIS = 0xED6E
"""Not that of the nodes' own draws: a node would see half of the hash's values only, and miss endpoints."""


def edge_table(state: NetworkState, edge: Edge, alive: Collection[str]) -> FlowTable:
    """One flow per load balancer's address and port, one per node, one per set of nodes and member of it."""
    table = FlowTable()
    table.add(_fixed(state.cluster, edge))
    nodes = [node for node in state.cluster.nodes if node.name in alive]
    table.add(flow for node in nodes for flow in _known(state.cluster, edge, node))
    sets: dict[int, list[Node]] = {}
    for key in sorted({key for keys in state.exposed.values() for key in keys}):
        service = state.services[key]
        for port, ip_version, chosen in _chosen(state, service, nodes):
            sets.setdefault(_identity(chosen), chosen)
            table.add(_frontends(state, service, port, ip_version, chosen))
    for identity, chosen in sets.items():
        table.add(_members(state.cluster, edge, identity, chosen))
    return table


def _fixed(cluster: Cluster, edge: Edge) -> Iterator[Flow]:
    owner = f"Cluster {cluster.name}"
    to_edge = (in_port(OF_PORT_EDGE), eth_dst(edge.mac))
    for address in edge.addresses:
        family = eth_type(address.version)
        actions = (Load(CONNTRACK_ZONE, EDGE_ZONE), Goto(EDGE_CONNECTION))
        yield Flow(CLASSIFIER, PRIORITY_NORMAL, (*to_edge, family), actions, Feature.EDGE, owner)
        known, tcp = (Conntrack(CONNTRACK_ZONE, EDGE_LB),), (family, ip_proto("TCP"))
        yield Flow(EDGE_CONNECTION, PRIORITY_NORMAL, tcp, known, Feature.EDGE, owner)
        # The table may know another connection from that port, 30 s long after its end, and a node that is not chosen now.
        begins = (*tcp, tcp_begins())
        yield Flow(EDGE_CONNECTION, PRIORITY_HIGH, begins, (Goto(EDGE_LB),), Feature.EDGE, owner)
        if address.version == 6:
            said = (*to_edge, family, ip_proto(ICMP[6]), ip_dst(address))
            yield Flow(CLASSIFIER, PRIORITY_HIGH, said, (ToController(),), Feature.EDGE, owner)
    answer = (*to_edge, MatchField("eth_type", ETH_TYPE_ARP))
    yield Flow(CLASSIFIER, PRIORITY_HIGH, answer, (ToController(),), Feature.EDGE, owner)
    miss = next(table for table in PIPELINE if table.name == EDGE_CONNECTION).miss
    yield Flow(EDGE_CONNECTION, PRIORITY_MISS, (), (Goto(str(miss)),), Feature.MISS, owner)


def _known(cluster: Cluster, edge: Edge, node: Node) -> Iterator[Flow]:
    """Connections that were sent to this node."""
    for subnet in cluster.pod_subnets:
        match = (eth_type(subnet.version), bits(NODE_MARK, node.index))
        yield Flow(EDGE_LB, PRIORITY_HIGH, match, _sent_to(edge, node), Feature.EDGE, f"Node {node.name}")


def _sent_to(edge: Edge, node: Node) -> tuple[Action, ...]:
    onward = (DecTTL(), SetField(eth_src(edge.mac)), SetField(eth_dst(node.uplink_mac)))
    return (*onward, ClearInPort(), Output(OF_PORT_EDGE))


def _chosen(
    state: NetworkState, service: Service, alive: Sequence[Node]
) -> Iterator[tuple[ServicePort, int, list[Node]]]:
    """Of each port and family, the nodes that may be sent to: all, or with externalTrafficPolicy Local those whose health
    check would say so, since they have a ready endpoint."""
    slices = state.endpoint_slices.get(service.key, {}).values()
    for port in service.ports:
        for ip_version in dict.fromkeys(address.version for address in service.load_balancer_ips):
            nodes = list(alive)
            if service.external_traffic_is_local:
                found = targets(port, ip_version, slices)
                ready = {target.endpoint.node for target in found if target.endpoint.ready}
                nodes = [node for node in alive if node.name in ready]
            if nodes:
                yield port, ip_version, nodes


def _identity(nodes: Iterable[Node]) -> int:
    return digest(" ".join(node.name for node in nodes).encode(), SERVICE_PORT.width)


def _frontends(
    state: NetworkState, service: Service, port: ServicePort, ip_version: int, nodes: Sequence[Node]
) -> Iterator[Flow]:
    others = taken(service, state)
    sticky = service.affinity_timeout_s is not None
    drawn = Multipath(ENDPOINT, len(nodes), _BASIS, fields="nw_src" if sticky else "symmetric_l3l4+udp")
    actions = (Load(SERVICE_PORT, _identity(nodes)), drawn if len(nodes) > 1 else Load(ENDPOINT, 0), Goto(EDGE_NODE))
    for address in service.load_balancer_ips:
        if address.version == ip_version and (address, port.protocol, port.service_port) not in others:
            to = (ip_dst(address), ip_proto(port.protocol), transport_dst(port.protocol, port.service_port))
            match = (eth_type(ip_version), *to)
            yield Flow(EDGE_LB, PRIORITY_NORMAL, match, actions, Feature.EDGE, f"Service {service.key}")


def _members(cluster: Cluster, edge: Edge, identity: int, nodes: Sequence[Node]) -> Iterator[Flow]:
    for number, node in enumerate(nodes):
        for subnet in cluster.pod_subnets:
            match = (eth_type(subnet.version), bits(SERVICE_PORT, identity), bits(ENDPOINT, number))
            known = Conntrack(CONNTRACK_ZONE, None, commit=True, mark=Load(NODE_MARK, node.index))
            yield Flow(
                EDGE_NODE, PRIORITY_NORMAL, match, (known, *_sent_to(edge, node)), Feature.EDGE, f"Node {node.name}"
            )
