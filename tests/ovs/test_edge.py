"""The switch at the edge: a load balancer's address leads each connection to one node that is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

import pytest
from packets import ACK, SYN, UDP, Packet, decode
from specs import cluster_object, service_object, slice_object

from cluster.model import Cluster
from cluster.reading.config import resolve
from controller.dummy_switch import EDGE_PORT, DummySwitch
from controller.edge import edge_table
from controller.edge_health import MISSED, Health
from controller.state import NetworkState, state_of

VIP = {4: ip_address("172.18.254.1"), 6: ip_address("fc00:f853:ccd:e793::fe01")}
LOCAL, STICKY = ip_address("172.18.254.2"), ip_address("172.18.254.3")
CLIENT = {4: ip_address("172.18.255.1"), 6: ip_address("fc00:f853:ccd:e793::ff01")}
families = pytest.mark.parametrize("ip_version", [4, 6])


def cluster(ip_family: str = "dual", nodes: int = 4) -> Cluster:
    document = {**cluster_object(nodes=nodes, ip_family=ip_family), "externalClients": 1}
    del document["metadata"]
    return resolve(document)


def balanced(name: str, number: int, addresses: Collection[Any], **spec: Any) -> dict[str, Any]:
    made = service_object(name, [f"10.96.0.{number}", f"fd00:10:96::{number:x}"])
    made["spec"] |= {"type": "LoadBalancer", **spec}
    made["spec"]["ports"].append({"name": "udp", "port": 80, "protocol": "UDP"})
    made["status"] = {"loadBalancer": {"ingress": [{"ip": str(address), "ipMode": "VIP"} for address in addresses]}}
    return made


def local_slice(made: Cluster) -> dict[str, Any]:
    """Endpoints on the second and third node; that on the third is not ready."""
    behind = slice_object("local", ["10.244.1.2", "10.244.2.2"])
    for entry, node, ready in zip(behind["endpoints"], made.nodes[1:3], (True, False), strict=True):
        entry |= {"nodeName": node.name, "conditions": {"ready": ready}}
    return behind


@dataclass
class AtTheEdge:
    state: NetworkState
    switch: DummySwitch

    @property
    def nodes(self) -> list[str]:
        return [node.name for node in self.state.cluster.nodes]

    def alive(self, *nodes: str) -> None:
        edge = self.state.cluster.edge
        assert edge is not None
        self.switch.replace(edge.bridge, edge_table(self.state, edge, nodes))

    def send(self, to: Any, tcp_src: int = 40000, **changes: Any) -> str | None:
        """The name of the node to which the edge sends it on."""
        edge = self.state.cluster.edge
        assert edge is not None
        packet = Packet("0a:05:00:01:00:00", edge.mac, CLIENT[to.version], to, tcp_src=tcp_src, tcp_dst=80)
        sent = self.switch.send(EDGE_PORT, replace(packet, **changes).encode())
        if not sent:
            return None
        (arrival,) = map(decode, (each.packet for each in sent))
        assert (arrival.ip_src, arrival.ip_dst, arrival.ttl) == (CLIENT[to.version], to, 63)
        return next(node.name for node in self.state.cluster.nodes if node.uplink_mac == arrival.eth_dst)


@pytest.fixture(scope="module")
def edge() -> Iterator[AtTheEdge]:
    made = cluster()
    services = [
        balanced("web", 11, VIP.values()),
        balanced("local", 12, [LOCAL], externalTrafficPolicy="Local"),
        balanced("sticky", 13, [STICKY], sessionAffinity="ClientIP"),
    ]
    state = state_of(made, *services, local_slice(made))
    with DummySwitch() as switch:
        switch.add_bridges(state)
        yield AtTheEdge(state, switch)


@pytest.fixture(autouse=True)
def all_alive(edge: AtTheEdge) -> None:
    edge.alive(*edge.nodes)


@families
@pytest.mark.parametrize("changes", [{}, {"ip_proto": UDP}], ids=["tcp", "udp"])
def test_connections_spread_over_all_nodes(edge: AtTheEdge, ip_version: int, changes: dict[str, Any]) -> None:
    found = Counter(edge.send(VIP[ip_version], 41000 + number, **changes) for number in range(200))
    assert len(found) == 4
    assert min(found.values()) > 200 / 4 / 2, found


@families
def test_a_connection_stays_with_its_node_when_others_come_and_go(edge: AtTheEdge, ip_version: int) -> None:
    nodes = edge.nodes
    edge.alive(*nodes[:2])
    began = {source: edge.send(VIP[ip_version], source, flags=SYN) for source in range(42000, 42020)}
    assert {edge.send(VIP[ip_version], source, flags=ACK, seq=1) == node for source, node in began.items()} == {True}
    edge.alive(*nodes)
    for seq in (1, 100):
        assert {
            source: edge.send(VIP[ip_version], source, flags=ACK, seq=seq) for source in began
        } == began


@families
def test_who_begins_again_from_a_port_goes_where_connections_go_now(edge: AtTheEdge, ip_version: int) -> None:
    """A client that uses a port again soon: the table remembers that port's last connection."""
    edge.alive(*edge.nodes[:2])
    for source in range(42100, 42140):
        edge.send(VIP[ip_version], source, flags=SYN)
        edge.send(VIP[ip_version], source, flags=ACK, seq=1)
    edge.alive(*edge.nodes)
    again = {source: edge.send(VIP[ip_version], source, flags=SYN, seq=1 << 30) for source in range(42100, 42140)}
    assert set(again.values()) == set(edge.nodes)
    for seq in (1, 100):
        assert {
            source: edge.send(VIP[ip_version], source, flags=ACK, seq=(1 << 30) + seq) for source in again
        } == again


@families
def test_a_dead_node_is_sent_nothing(edge: AtTheEdge, ip_version: int) -> None:
    nodes = edge.nodes
    began = {source: edge.send(VIP[ip_version], source) for source in range(43000, 43040)}
    edge.alive(*nodes[1:])
    for source, node in began.items():
        now = edge.send(VIP[ip_version], source, flags=ACK, seq=1)
        assert now == node if node != nodes[0] else now in nodes[1:]


def test_with_policy_local_only_nodes_with_a_ready_endpoint(edge: AtTheEdge) -> None:
    nodes = edge.nodes
    assert {edge.send(LOCAL, source) for source in range(44000, 44010)} == {nodes[1]}
    edge.alive(nodes[0], nodes[2])
    assert edge.send(LOCAL, 44020) is None


def test_a_client_stays_with_one_node_where_it_is_to_stay_with_one_endpoint(edge: AtTheEdge) -> None:
    assert len({edge.send(STICKY, source) for source in range(45000, 45020)}) == 1


def test_what_is_no_load_balancers_goes_nowhere(edge: AtTheEdge) -> None:
    assert edge.send(VIP[4], tcp_dst=81) is None
    assert edge.send(ip_address("172.18.254.9")) is None


@pytest.mark.parametrize(("ip_family", "eth_type"), [("dual", b"\x08\x06"), ("ipv6", b"\x86\xdd")])
def test_a_node_that_does_not_answer_is_out_until_it_does(ip_family: str, eth_type: bytes) -> None:
    made = cluster(ip_family)
    assert made.edge is not None
    health, first = Health(made, made.edge), made.nodes[0]
    mac = bytes.fromhex(first.uplink_mac.replace(":", ""))
    answer = bytes.fromhex(made.edge.mac.replace(":", "")) + mac + eth_type
    for _ in range(MISSED + 1):
        questions = list(health.questions())
        for node in made.nodes[1:]:
            health.answered(answer[:6] + bytes.fromhex(node.uplink_mac.replace(":", "")) + eth_type)
    assert (questions[0][:6], questions[0][12:14], len(questions)) == (mac, eth_type, 4)
    assert health.alive == {node.name for node in made.nodes[1:]}
    health.answered(answer)
    assert first.name in health.alive
