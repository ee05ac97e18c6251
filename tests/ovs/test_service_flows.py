"""A Service's address is translated where its client is, once per connection, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from packets import ACK, RST
from specs import model, service_object, slice_object
from world import Arrival, World, world

from cluster.model import NODE_HAIRPINS, REFUSING_ADDRESSES, REFUSING_PORT

CLUSTER_IP = {4: ip_address("10.96.0.10"), 6: ip_address("fd00:10:96::a")}
LONELY_IP = {4: ip_address("10.96.0.11"), 6: ip_address("fd00:10:96::b")}
HAIRPIN_IP = {4: ip_address("10.96.0.12"), 6: ip_address("fd00:10:96::c")}
UNKNOWN_IP = {4: ip_address("10.96.0.99"), 6: ip_address("fd00:10:96::99")}
SERVICE_PORT, TARGET_PORT = 80, 8080
families = pytest.mark.parametrize("ip_version", [4, 6])


def dual(name: str, cluster_ips: dict[int, object], numbers: list[tuple[int, int]]) -> list[object]:
    """A Service with an EndpointSlice per family; endpoints as (node index, pod number)."""
    cluster = model(nodes=2, ip_family="dual")
    objects: list[object] = [service_object(name, list(map(str, cluster_ips.values())), SERVICE_PORT)]
    for family in range(2 if numbers else 0):
        addresses = [str(cluster.nodes[node - 1].pod_cidrs[family].network_address + pod) for node, pod in numbers]
        made = slice_object(name, addresses, TARGET_PORT)
        made["metadata"]["name"] += f"-{family}"
        objects.append(made)
    return objects


@pytest.fixture(scope="module")
def shop() -> Iterator[World]:
    """web: endpoints b (same node as a) and c (the other node); self: endpoint a alone; lonely: none."""
    services = [
        *dual("web", CLUSTER_IP, [(1, 3), (2, 2)]),
        *dual("self", HAIRPIN_IP, [(1, 2)]),
        *dual("lonely", LONELY_IP, []),
    ]
    with world(*services, ip_family="dual") as made:
        yield made


@families
def test_each_connection_reaches_one_endpoint_and_hears_from_the_service(shop: World, ip_version: int) -> None:
    reached: Counter[object] = Counter()
    client = shop.address("a", ip_version)
    for tcp_src in range(41000, 41040):
        flow = {"tcp_src": tcp_src, "tcp_dst": SERVICE_PORT}
        (arrival,) = shop.from_pod("a", CLUSTER_IP[ip_version], **flow)
        (again,) = shop.from_pod("a", CLUSTER_IP[ip_version], **flow)
        assert again == arrival, "a connection stays with its endpoint"
        assert arrival.packet.ip_src == client, "the endpoint sees its client's own address"
        assert arrival.packet.tcp_dst == TARGET_PORT
        (answer,) = shop.send(arrival.port, arrival.packet.reply())
        assert (answer.packet.ip_src, answer.packet.tcp_src) == (CLUSTER_IP[ip_version], SERVICE_PORT)
        assert (answer.packet.ip_dst, answer.packet.tcp_dst) == (client, tcp_src)
        assert answer.packet.eth_dst == shop.pod("a").mac
        reached[arrival.packet.ip_dst] += 1
    assert set(reached) == {shop.address("b", ip_version), shop.address("c", ip_version)}, reached


@families
def test_a_pod_reaches_itself_through_its_service(shop: World, ip_version: int) -> None:
    own = shop.address("a", ip_version)
    (arrival,) = shop.from_pod("a", HAIRPIN_IP[ip_version], tcp_dst=SERVICE_PORT)
    assert (arrival.packet.ip_dst, arrival.packet.tcp_dst) == (own, TARGET_PORT)
    assert arrival.packet.ip_src in shop.node(1).gateway_addresses
    (answer,) = shop.send(arrival.port, arrival.packet.reply())
    assert (answer.packet.ip_src, answer.packet.tcp_src) == (HAIRPIN_IP[ip_version], SERVICE_PORT)
    assert (answer.packet.ip_dst, answer.packet.eth_dst) == (own, shop.pod("a").mac)


@families
def test_addresses_and_ports_that_nobody_serves_lead_nowhere(shop: World, ip_version: int) -> None:
    assert shop.from_pod("a", UNKNOWN_IP[ip_version], tcp_dst=SERVICE_PORT) == []
    assert shop.from_pod("a", CLUSTER_IP[ip_version], tcp_dst=SERVICE_PORT + 1) == []


@families
def test_a_service_without_endpoints_is_refused_by_the_nodes_kernel(shop: World, ip_version: int) -> None:
    (arrival,) = shop.from_pod("a", LONELY_IP[ip_version], tcp_dst=SERVICE_PORT)
    assert arrival.packet.eth_dst == shop.node(1).gateway_mac
    assert (arrival.packet.ip_dst, arrival.packet.tcp_dst) == (REFUSING_ADDRESSES[ip_version], REFUSING_PORT)
    (answer,) = shop.from_node(1, arrival.packet.ip_src, **refusal_of(arrival))
    assert (answer.packet.ip_src, answer.packet.tcp_src) == (LONELY_IP[ip_version], SERVICE_PORT)
    assert answer.packet.eth_dst == shop.pod("a").mac


@families
def test_a_node_is_refused_too(shop: World, ip_version: int) -> None:
    """As somebody else, since its kernel would not send the answer to its own address to the switch."""
    (arrival,) = shop.from_node(1, LONELY_IP[ip_version], tcp_dst=SERVICE_PORT)
    assert (arrival.packet.ip_src, arrival.packet.ip_dst) == (NODE_HAIRPINS[ip_version], REFUSING_ADDRESSES[ip_version])
    (answer,) = shop.from_node(1, NODE_HAIRPINS[ip_version], **refusal_of(arrival))
    assert (answer.packet.ip_src, answer.packet.tcp_src) == (LONELY_IP[ip_version], SERVICE_PORT)
    assert answer.packet.ip_dst in shop.node(1).gateway_addresses


def refusal_of(arrival: Arrival) -> dict[str, object]:
    asked = arrival.packet
    return {"ip_src": asked.ip_dst, "tcp_src": asked.tcp_dst, "tcp_dst": asked.tcp_src, "flags": RST | ACK}


@families
def test_a_node_reaches_a_service(shop: World, ip_version: int) -> None:
    (arrival,) = shop.from_node(1, CLUSTER_IP[ip_version], tcp_dst=SERVICE_PORT)
    assert arrival.packet.tcp_dst == TARGET_PORT
    (answer,) = shop.send(arrival.port, arrival.packet.reply())
    assert answer.packet.ip_src == CLUSTER_IP[ip_version]
    assert answer.packet.eth_dst == shop.node(1).gateway_mac


@families
def test_a_connection_past_the_policies_is_written_down_once_on_each_node(shop: World, ip_version: int) -> None:
    shop.from_pod("a", shop.address("c", ip_version), tcp_src=55555)
    of_family = f"src={shop.address('a', ip_version)},"
    entries = shop.switch.control("dpctl/dump-conntrack").splitlines()
    assert sum(of_family in entry and "sport=55555" in entry for entry in entries) == 2, entries
