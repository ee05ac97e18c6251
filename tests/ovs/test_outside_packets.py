"""What comes in from outside the cluster, and what goes out, packet by packet: both directions, both ways to other
nodes, both IP families.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from packets import ACK, RST, UDP, Packet
from specs import model, pod_object, service_object, slice_object
from world import Arrival, World, world

from cluster.model import GATEWAY_MAC, MASQUERADE_PORTS, NODE_HAIRPINS, REFUSING_ADDRESSES, IPAddress
from controller.dummy_switch import trunk_name

CLIENT = {4: ip_address("172.18.255.1"), 6: ip_address("fc00:f853:ccd:e793::ff01")}
EXTERNAL = {4: ip_address("203.0.113.9"), 6: ip_address("2001:db8::9")}
LIMITED = {4: ip_address("203.0.113.10"), 6: ip_address("2001:db8::10")}
STRANGER = {4: ip_address("198.51.100.7"), 6: ip_address("2001:db8:1::7")}
ON_FIRST, ON_SECOND, LOCAL, NOBODY, BY_UDP = 30001, 30002, 30003, 30004, 30005
families = pytest.mark.parametrize("ip_version", [4, 6])
PODS = {"b": (1, 3), "c": (2, 2)}


def exposed(name: str, number: int, node_port: int, *pods: str, protocol: str = "TCP", **spec: Any) -> list[Any]:
    """A NodePort Service of both families, with its slices."""
    cluster = model(nodes=2, ip_family="dual")
    made = service_object(name, [f"10.96.0.{number}", f"fd00:10:96::{number:x}"], 80, protocol)
    made["spec"] |= {"type": "NodePort", **spec}
    made["spec"]["ports"][0]["nodePort"] = node_port
    objects = [made]
    for family in range(2 if pods else 0):
        placed = [(cluster.nodes[node - 1], pod) for node, pod in map(PODS.__getitem__, pods)]
        addresses = [str(node.pod_cidrs[family].network_address + pod) for node, pod in placed]
        behind = slice_object(name, addresses, 8080, protocol)
        behind["metadata"]["name"] += f"-{family}"
        for entry, (node, _) in zip(behind["endpoints"], placed, strict=True):
            entry["nodeName"] = node.name
        objects.append(behind)
    return objects


def objects() -> list[Any]:
    limited = {
        "type": "LoadBalancer",
        "loadBalancerSourceRanges": ["172.18.0.0/16", "fc00:f853:ccd:e793::/64"],
    }
    made = [
        *exposed("first", 11, ON_FIRST, "b", externalIPs=[str(EXTERNAL[4]), str(EXTERNAL[6])]),
        *exposed("second", 12, ON_SECOND, "c"),
        *exposed("local", 13, LOCAL, "b", externalTrafficPolicy="Local"),
        *exposed("nobody", 14, NOBODY),
        *exposed("udp", 15, BY_UDP, "b", protocol="UDP"),
        *exposed("limited", 16, 30006, "b", **limited),
    ]
    made[-3]["status"] = {"loadBalancer": {"ingress": [{"ip": str(ip), "ipMode": "VIP"} for ip in LIMITED.values()]}}
    return made


@pytest.fixture(scope="module", params=["overlay", "direct"])
def shop(request: pytest.FixtureRequest) -> Iterator[World]:
    with world(*objects(), ip_family="dual", mode=request.param) as made:
        yield made


def from_outside(shop: World, node: int, to: IPAddress, port: int, tcp_src: int = 40000, **changes: Any) -> list[Arrival]:
    """A client's packet, as the kernel of that node hands it to its switch."""
    router, client = shop.node(node), CLIENT[to.version]
    packet = Packet(router.gateway_mac, GATEWAY_MAC, client, to, tcp_src=tcp_src, tcp_dst=port, ttl=63)
    return shop.send(trunk_name(router), replace(packet, **changes))


def address_of(shop: World, node: int, ip_version: int) -> IPAddress:
    return next(address for address in shop.node(node).addresses if address.version == ip_version)


def gateway_of(shop: World, node: int, ip_version: int) -> IPAddress:
    return next(address for address in shop.node(node).gateway_addresses if address.version == ip_version)


def brought(shop: World, arrival: Arrival, other: int) -> list[Arrival]:
    """What a kernel does with what its switch handed it: to the other node's switch, if it is for a pod there."""
    node = shop.node(other)
    handed = replace(arrival.packet, eth_src=node.gateway_mac, eth_dst=GATEWAY_MAC, ttl=arrival.packet.ttl - 1)
    return shop.send(trunk_name(node), handed)


def answered(shop: World, arrival: Arrival, way_back: int) -> Packet:
    """The endpoint's answer as the kernel of node `way_back` gets it to send it out, whatever way it takes there."""
    (answer,) = shop.send(arrival.port, arrival.packet.reply())
    if answer.port != trunk_name(shop.node(way_back)):
        (answer,) = brought(shop, answer, way_back)
    assert answer.packet.eth_dst == shop.node(way_back).gateway_mac
    return answer.packet


@families
def test_a_node_port_leads_to_an_endpoint_on_that_node_with_the_clients_address(shop: World, ip_version: int) -> None:
    to = address_of(shop, 1, ip_version)
    (arrival,) = from_outside(shop, 1, to, ON_FIRST)
    assert (arrival.packet.ip_dst, arrival.packet.tcp_dst) == (shop.address("b", ip_version), 8080)
    assert arrival.packet.ip_src == CLIENT[ip_version]
    answer = answered(shop, arrival, 1)
    assert (answer.ip_src, answer.tcp_src) == (to, ON_FIRST)
    assert (answer.ip_dst, answer.tcp_dst) == (CLIENT[ip_version], 40000)


@families
def test_an_endpoint_elsewhere_sees_the_node_and_its_answers_come_back(shop: World, ip_version: int) -> None:
    to, tcp_src = address_of(shop, 1, ip_version), 40001
    for flags in (0x02, ACK):
        (arrival,) = from_outside(shop, 1, to, ON_SECOND, tcp_src, flags=flags)
        if shop.cluster.network.mode == "direct":
            (arrival,) = brought(shop, arrival, 2)
        assert (arrival.packet.ip_dst, arrival.packet.tcp_dst) == (shop.address("c", ip_version), 8080)
        assert arrival.packet.ip_src == gateway_of(shop, 1, ip_version)
        assert arrival.packet.tcp_src in MASQUERADE_PORTS
        answer = answered(shop, arrival, 1)
        assert (answer.ip_src, answer.tcp_src) == (to, ON_SECOND)
        assert (answer.ip_dst, answer.tcp_dst) == (CLIENT[ip_version], tcp_src)


@families
def test_when_no_source_port_is_free_the_node_does_not_answer_instead(shop: World, ip_version: int) -> None:
    """Ports below 512 are translated to others of them, so these run out after as many connections (decision 022)."""
    to, seen = address_of(shop, 1, ip_version), []
    for _ in range(700):
        arrivals = from_outside(shop, 1, to, ON_FIRST, 100)
        seen.append([(arrival.packet.ip_dst, arrival.packet.tcp_dst) for arrival in arrivals])
        from_outside(shop, 1, to, ON_FIRST, 100, flags=RST)
    assert seen[0] == [(shop.address("b", ip_version), 8080)]
    assert seen[-1] == [], "the ports have run out"
    assert all(each in (seen[0], []) for each in seen)


@families
def test_local_keeps_the_address_and_drops_where_no_endpoint_is(shop: World, ip_version: int) -> None:
    (arrival,) = from_outside(shop, 1, address_of(shop, 1, ip_version), LOCAL)
    assert (arrival.packet.ip_dst, arrival.packet.ip_src) == (shop.address("b", ip_version), CLIENT[ip_version])
    assert from_outside(shop, 2, address_of(shop, 2, ip_version), LOCAL) == []


@families
def test_a_pod_reaches_all_endpoints_by_any_nodes_port_as_itself(shop: World, ip_version: int) -> None:
    for node in (1, 2):
        to = address_of(shop, node, ip_version)
        (arrival,) = shop.from_pod("c", to, tcp_src=42000 + node, tcp_dst=LOCAL)
        if shop.cluster.network.mode == "direct":
            (arrival,) = brought(shop, arrival, 1)
        assert arrival.packet.ip_dst == shop.address("b", ip_version)
        assert arrival.packet.ip_src == shop.address("c", ip_version)


@families
def test_a_node_reaches_a_port_of_its_own(shop: World, ip_version: int) -> None:
    (arrival,) = shop.from_node(1, address_of(shop, 1, ip_version), tcp_dst=ON_FIRST)
    assert arrival.packet.ip_dst == shop.address("b", ip_version)


@families
def test_nobody_behind_a_port_refuses(shop: World, ip_version: int) -> None:
    to = address_of(shop, 1, ip_version)
    (arrival,) = from_outside(shop, 1, to, NOBODY)
    assert (arrival.packet.ip_src, arrival.packet.ip_dst) == (NODE_HAIRPINS[ip_version], REFUSING_ADDRESSES[ip_version])
    refusal = {"ip_src": arrival.packet.ip_dst, "tcp_src": arrival.packet.tcp_dst, "tcp_dst": arrival.packet.tcp_src}
    (answer,) = shop.from_node(1, NODE_HAIRPINS[ip_version], flags=RST | ACK, **refusal)
    assert (answer.packet.ip_src, answer.packet.tcp_src) == (to, NOBODY)
    assert answer.packet.ip_dst == CLIENT[ip_version]


@families
def test_a_port_that_no_service_has_is_the_kernels(shop: World, ip_version: int) -> None:
    to = address_of(shop, 1, ip_version)
    (arrival,) = from_outside(shop, 1, to, 30999)
    assert arrival.packet.eth_dst == shop.node(1).gateway_mac
    assert (arrival.packet.ip_src, arrival.packet.ip_dst, arrival.packet.tcp_dst) == (CLIENT[ip_version], to, 30999)


@families
def test_udp_has_node_ports_too(shop: World, ip_version: int) -> None:
    (arrival,) = from_outside(shop, 1, address_of(shop, 1, ip_version), BY_UDP, ip_proto=UDP)
    assert (arrival.packet.ip_dst, arrival.packet.tcp_dst) == (shop.address("b", ip_version), 8080)


@families
def test_an_external_ip_leads_in_by_every_node(shop: World, ip_version: int) -> None:
    (arrival,) = from_outside(shop, 1, EXTERNAL[ip_version], 80, 40100)
    assert arrival.packet.ip_dst == shop.address("b", ip_version)
    assert answered(shop, arrival, 1).ip_src == EXTERNAL[ip_version]
    (from_pod,) = shop.from_pod("a", EXTERNAL[ip_version], tcp_src=40101, tcp_dst=80)
    assert from_pod.packet.ip_dst == shop.address("b", ip_version)
    assert from_outside(shop, 1, EXTERNAL[ip_version], 81) == []


@families
def test_a_load_balancers_address_is_for_its_source_ranges(shop: World, ip_version: int) -> None:
    (arrival,) = from_outside(shop, 1, LIMITED[ip_version], 80, 40200)
    assert arrival.packet.ip_dst == shop.address("b", ip_version)
    assert from_outside(shop, 1, LIMITED[ip_version], 80, 40201, ip_src=STRANGER[ip_version]) == []
    assert shop.from_pod("a", LIMITED[ip_version], tcp_src=40202, tcp_dst=80) == []


@families
def test_nothing_else_of_the_cluster_answers_the_outside(shop: World, ip_version: int) -> None:
    cluster_ip = {4: ip_address("10.96.0.11"), 6: ip_address("fd00:10:96::b")}[ip_version]
    for to, port in ((shop.address("b", ip_version), 8080), (shop.address("c", ip_version), 8080), (cluster_ip, 80)):
        assert from_outside(shop, 1, to, port) == []
    spoofed = shop.address("c" if shop.cluster.network.mode == "overlay" else "b", ip_version)
    assert from_outside(shop, 1, address_of(shop, 1, ip_version), ON_FIRST, ip_src=spoofed) == []


@families
def test_what_pods_send_outside_has_their_nodes_address_and_answers_come_back(shop: World, ip_version: int) -> None:
    own, client = shop.address("a", ip_version), CLIENT[ip_version]
    for flags in (0x02, ACK):
        (sent,) = shop.from_pod("a", client, tcp_src=43000, tcp_dst=7000, flags=flags)
        assert sent.packet.ip_src == address_of(shop, 1, ip_version)
        assert sent.packet.tcp_src in MASQUERADE_PORTS
        assert (sent.packet.ip_dst, sent.packet.tcp_dst) == (client, 7000)
        back = sent.packet.reply()
        (answer,) = from_outside(shop, 1, back.ip_dst, back.tcp_dst, back.tcp_src, flags=0x12)
        assert (answer.packet.ip_src, answer.packet.tcp_src) == (client, 7000)
        assert (answer.packet.ip_dst, answer.packet.tcp_dst) == (own, 43000)


@families
def test_two_pods_with_one_source_port_are_told_apart(shop: World, ip_version: int) -> None:
    (one,) = shop.from_pod("a", CLIENT[ip_version], tcp_src=43100, tcp_dst=7001)
    (other,) = shop.from_pod("b", CLIENT[ip_version], tcp_src=43100, tcp_dst=7001)
    assert one.packet.ip_src == other.packet.ip_src
    assert one.packet.tcp_src != other.packet.tcp_src


def test_ranges_that_are_exempt_see_the_pod() -> None:
    with world(ip_masq_exempt=["172.18.255.0/24"]) as shop:
        (sent,) = shop.from_pod("a", CLIENT[4], tcp_dst=7000)
        assert (sent.packet.ip_src, sent.packet.tcp_src) == (shop.address("a"), 40000)
        (answer,) = shop.send(trunk_name(shop.node(1)), replace(
            sent.packet.reply(), eth_src=shop.node(1).gateway_mac, eth_dst=GATEWAY_MAC
        ))
        assert answer.packet.ip_dst == shop.address("a")
        (other,) = shop.from_pod("a", STRANGER[4], tcp_dst=7000)
        assert other.packet.ip_src == address_of(shop, 1, 4)


def test_an_address_of_two_services_is_that_of_the_first_name() -> None:
    both = [exposed(name, 20 + index, 30020 + index, pod, externalIPs=["203.0.113.20"])
            for index, (name, pod) in enumerate((("one", "b"), ("two", "c")))]  # fmt: skip
    with world(*both[0], *both[1], ip_family="dual") as shop:
        (arrival,) = from_outside(shop, 1, ip_address("203.0.113.20"), 80)
        assert arrival.packet.ip_dst == shop.address("b")


@families
def test_another_nodes_connection_comes_back_also_from_a_pod_of_its_own(shop: World, ip_version: int) -> None:
    """Its packets come by the underlay; the pod is on the node that they come from."""
    to, caller, tcp_src = address_of(shop, 1, ip_version), address_of(shop, 2, ip_version), 40400
    (arrival,) = from_outside(shop, 1, to, ON_SECOND, tcp_src, ip_src=caller)
    if shop.cluster.network.mode == "direct":
        (arrival,) = brought(shop, arrival, 2)
    assert arrival.packet.ip_dst == shop.address("c", ip_version)
    (answer,) = shop.send(arrival.port, arrival.packet.reply())
    if shop.cluster.network.mode == "direct":
        (answer,) = brought(shop, answer, 1)
    assert (answer.packet.ip_src, answer.packet.tcp_src) == (to, ON_SECOND)
    assert (answer.packet.ip_dst, answer.packet.tcp_dst) == (caller, tcp_src)


def with_host_port(pod: Any, **port: Any) -> Any:
    pod["spec"]["containers"] = [{"ports": [{"containerPort": 8080, "hostPort": 8088, **port}]}]
    return pod


@families
def test_a_host_port_leads_to_the_pod_of_that_node(ip_version: int) -> None:
    cluster = model(nodes=2, ip_family="dual")
    pods = [
        with_host_port(pod_object(cluster, "b", 1, 3)),
        with_host_port(pod_object(cluster, "c", 2, 2), hostIP=str(cluster.nodes[1].addresses[0])),
        with_host_port(pod_object(cluster, "late", 1, 5)),
    ]
    with world(*pods, ip_family="dual") as shop:
        to = address_of(shop, 1, ip_version)
        (arrival,) = from_outside(shop, 1, to, 8088)
        assert (arrival.packet.ip_dst, arrival.packet.tcp_dst) == (shop.address("b", ip_version), 8080)
        assert arrival.packet.ip_src == CLIENT[ip_version]
        assert answered(shop, arrival, 1).ip_src == to
        (from_pod,) = shop.from_pod("c", to, tcp_src=46000, tcp_dst=8088)
        assert from_pod.packet.ip_dst == shop.address("b", ip_version)
        (elsewhere,) = from_outside(shop, 2, address_of(shop, 2, ip_version), 8088, 46001)
        assert elsewhere.packet.tcp_dst == (8080 if ip_version == 4 else 8088), "hostIP is of one family"


@families
def test_another_node_reaches_pods_by_the_way_of_its_mode_only(shop: World, ip_version: int) -> None:
    """In direct mode a node's packets come by the underlay, and so does a client's that says it is one."""
    to, caller = shop.address("b", ip_version), address_of(shop, 2, ip_version)
    arrivals = from_outside(shop, 1, to, 8080, 40500, ip_src=caller)
    if shop.cluster.network.mode == "overlay":
        assert arrivals == []
        return
    (arrival,) = arrivals
    assert (arrival.packet.ip_dst, arrival.packet.ip_src) == (to, caller)
    (answer,) = shop.send(arrival.port, arrival.packet.reply())
    assert (answer.packet.ip_src, answer.packet.ip_dst) == (to, caller)
