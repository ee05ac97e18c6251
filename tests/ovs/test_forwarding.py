"""Where packets go that use no Service: real packets through the real pipeline, node to node."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from packets import Packet
from world import World, world

from cluster.model import GATEWAY_MAC, REFUSING_ADDRESSES, VXLAN_PORT
from controller.dummy_switch import trunk_name

OUTSIDE = {4: ip_address("192.0.2.1"), 6: ip_address("2001:db8::1")}


@pytest.fixture(scope="module", params=[False, True], ids=["macvlan", "veth"])
def overlay(request: pytest.FixtureRequest) -> Iterator[World]:
    with world(veth=request.param, ip_family="dual") as made:
        yield made


@pytest.fixture(scope="module")
def direct() -> Iterator[World]:
    with world(mode="direct", ip_family="dual") as made:
        yield made


families = pytest.mark.parametrize("ip_version", [4, 6])


@families
@pytest.mark.parametrize("to", ["b", "c"], ids=["same node", "across nodes"])
def test_pod_reaches_pod_with_its_own_address(overlay: World, ip_version: int, to: str) -> None:
    (arrival,) = overlay.from_pod("a", overlay.address(to, ip_version))
    target = overlay.pod(to)
    assert arrival.port == overlay.port_of(target)
    assert (arrival.packet.eth_src, arrival.packet.eth_dst) == (GATEWAY_MAC, target.mac)
    assert arrival.packet.ip_src == overlay.address("a", ip_version)
    assert arrival.packet.ip_dst == overlay.address(to, ip_version)


@families
def test_each_hop_costs_one_ttl(overlay: World, ip_version: int) -> None:
    (near,) = overlay.from_pod("a", overlay.address("b", ip_version), ttl=64)
    (far,) = overlay.from_pod("a", overlay.address("c", ip_version), ttl=64)
    assert (near.packet.ttl, far.packet.ttl) == (63, 62)


@families
@pytest.mark.parametrize("ttl", [0, 1])
def test_a_packet_at_the_end_of_its_ttl_is_dropped(overlay: World, ip_version: int, ttl: int) -> None:
    assert overlay.from_pod("a", overlay.address("b", ip_version), ttl=ttl) == []


@families
def test_pod_reaches_its_node(overlay: World, ip_version: int) -> None:
    node = overlay.node(1)
    for address in (*node.gateway_addresses, *node.addresses):
        if address.version == ip_version:
            (arrival,) = overlay.from_pod("a", address)
            assert arrival.port == trunk_name(node)
            assert arrival.packet.eth_dst == node.gateway_mac


@families
def test_node_reaches_pods_here_and_there(overlay: World, ip_version: int) -> None:
    for name in ("a", "c"):
        (arrival,) = overlay.from_node(1, overlay.address(name, ip_version))
        assert arrival.port == overlay.port_of(overlay.pod(name))


@families
def test_overlay_reaches_other_nodes_addresses_through_the_tunnel(overlay: World, ip_version: int) -> None:
    far = overlay.node(2)
    for address in (*far.gateway_addresses, *far.addresses):
        if address.version == ip_version:
            (arrival,) = overlay.from_pod("a", address)
            assert (arrival.port, arrival.packet.eth_dst) == (trunk_name(far), far.gateway_mac)


@families
def test_pod_reaches_the_outside_through_its_nodes_kernel(overlay: World, ip_version: int) -> None:
    (arrival,) = overlay.from_pod("a", OUTSIDE[ip_version])
    node = overlay.node(1)
    assert (arrival.port, arrival.packet.eth_dst) == (trunk_name(node), node.gateway_mac)


@families
def test_direct_mode_hands_other_nodes_pods_to_the_kernel(direct: World, ip_version: int) -> None:
    (arrival,) = direct.from_pod("a", direct.address("c", ip_version))
    node = direct.node(1)
    assert (arrival.port, arrival.packet.eth_dst) == (trunk_name(node), node.gateway_mac)


@families
def test_direct_mode_takes_other_nodes_pods_from_the_kernel(direct: World, ip_version: int) -> None:
    far = direct.node(2)
    (arrival,) = direct.from_node(2, direct.address("c", ip_version), ip_src=direct.address("a", ip_version), ttl=60)
    assert arrival.port == trunk_name(far)
    assert arrival.packet.eth_dst == direct.pod("c").mac
    assert arrival.packet.ttl == 60, "the kernel has decremented it already"


@families
def test_an_address_without_a_pod_leads_nowhere(overlay: World, ip_version: int) -> None:
    for node in overlay.cluster.nodes:
        cidr = next(cidr for cidr in node.pod_cidrs if cidr.version == ip_version)
        assert overlay.from_pod("a", cidr.network_address + 99) == []


@families
def test_a_pod_cannot_send_as_another(overlay: World, ip_version: int) -> None:
    to = overlay.address("c", ip_version)
    assert overlay.from_pod("a", to, ip_src=overlay.address("b", ip_version)) == []
    assert overlay.from_pod("a", to, eth_src=overlay.pod("b").mac) == []
    assert overlay.from_pod("a", to, eth_src="0a:09:09:09:09:09") == []
    assert overlay.from_pod("a", to, ip_src=OUTSIDE[ip_version]) == []


def test_a_pod_with_its_own_port_cannot_use_anothers_addresses() -> None:
    with world(veth=True) as made:
        a, b = made.pod("a"), made.pod("b")
        stolen = Packet(b.mac, GATEWAY_MAC, made.address("b"), made.address("c"))
        assert made.send(made.port_of(a), stolen) == []


@families
def test_the_kernel_and_the_tunnel_cannot_send_as_a_pod_of_the_node(overlay: World, ip_version: int) -> None:
    to, stolen = overlay.address("b", ip_version), overlay.address("a", ip_version)
    assert overlay.from_node(1, to, ip_src=stolen) == []
    through_tunnel = Packet(GATEWAY_MAC, overlay.node(1).tunnel_mac, stolen, to)
    assert overlay.send("x1", through_tunnel) == []


@families
def test_what_is_not_sent_to_the_router_is_dropped(overlay: World, ip_version: int) -> None:
    to = overlay.address("b", ip_version)
    assert overlay.from_pod("a", to, eth_dst=overlay.pod("b").mac) == []
    assert overlay.from_pod("a", to, eth_dst="ff:ff:ff:ff:ff:ff") == []


@families
@pytest.mark.parametrize("index", [1, 2])
def test_a_pod_cannot_send_vxlan_by_hand_to_a_node(overlay: World, ip_version: int, index: int) -> None:
    node = overlay.node(index)
    for to in (*node.addresses, *node.gateway_addresses, REFUSING_ADDRESSES[ip_version]):
        if to.version == ip_version:
            assert overlay.from_pod("a", to, tcp_dst=VXLAN_PORT, ip_proto=17) == []
            assert len(overlay.from_pod("a", to, tcp_dst=VXLAN_PORT - 1, ip_proto=17)) == 1


def test_pods_wrap_packets_for_each_other(overlay: World) -> None:
    for name in ("b", "c"):
        assert len(overlay.from_pod("a", overlay.address(name), tcp_dst=VXLAN_PORT, ip_proto=17)) == 1


def test_switch_holds_exactly_what_was_compiled(overlay: World) -> None:
    from controller.compiler import compile

    tables = compile(overlay.state)
    for node in overlay.cluster.nodes:
        assert overlay.switch.differences(node.bridge, tables[node.name]) == ""
