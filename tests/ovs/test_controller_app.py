"""The real application, on Ryu and on os-ken, programming a real Open vSwitch."""

from __future__ import annotations

import time
from functools import partial
from ipaddress import ip_address
from typing import Any

from conftest import Testbed
from packets import TCP, UDP, Packet
from specs import cluster_object, model, pod_object, service_object, slice_object
from world import World

from cluster.model import GATEWAY_MAC, REFUSING_ADDRESSES
from cluster.waiting import wait_until
from controller.compiler import compile
from controller.dummy_switch import trunk_name
from controller.pipeline import ENDPOINT_DNAT, SESSION_AFFINITY, TABLE_ID
from controller.realiser import REVALIDATED_S
from controller.state import state_of

CLUSTER = model(nodes=2, ip_family="dual")
PODS = [pod_object(CLUSTER, "a", 1, 2), pod_object(CLUSTER, "b", 2, 2), pod_object(CLUSTER, "c", 2, 3)]
SERVICE = [service_object("web", ["10.96.0.10"]), slice_object("web", ["10.244.0.2", "10.244.1.2"])]
STATE = state_of(CLUSTER, *PODS, *SERVICE)


def start(testbed: Testbed) -> int:
    revision = testbed.api.put(cluster_object(nodes=2, ip_family="dual"), *PODS, *SERVICE)
    testbed.start(STATE)
    return revision


def assert_as_compiled(testbed: Testbed) -> None:
    for node in CLUSTER.nodes:
        assert testbed.switch.differences(node.bridge, compile(STATE)[node.name]) == ""


def test_programs_every_switch(testbed: Testbed) -> None:
    detail = testbed.controller.wait_for(start(testbed))
    tables = compile(STATE)
    assert detail["refused"] == []
    assert detail["packet_ins"] == 0
    assert detail["nodes"] == {name: {"flows": len(table.flows), "connected": True} for name, table in tables.items()}
    assert detail["flow_mods_sent"] == sum(len(table.flows) + len(table.groups) for table in tables.values())
    assert_as_compiled(testbed)


def test_a_killed_controller_sends_nothing_when_it_is_back(testbed: Testbed) -> None:
    revision = start(testbed)
    testbed.controller.wait_for(revision)
    testbed.controller.kill()
    testbed.controller.start()
    detail = testbed.controller.wait_for(revision)
    assert detail["flow_mods_sent"] == 0
    assert_as_compiled(testbed)


def test_sends_only_what_changed(testbed: Testbed) -> None:
    before = testbed.controller.wait_for(start(testbed))
    after = testbed.controller.wait_for(testbed.api.delete(PODS[1]))
    flows_of_a_dual_stack_pod = 6
    assert after["flow_mods_sent"] - before["flow_mods_sent"] == flows_of_a_dual_stack_pod
    without = compile(state_of(CLUSTER, PODS[0], PODS[2], *SERVICE))
    for node in CLUSTER.nodes:
        assert testbed.switch.differences(node.bridge, without[node.name]) == ""


def test_a_changed_endpoint_costs_four_messages_per_node(testbed: Testbed) -> None:
    before = testbed.controller.wait_for(start(testbed))
    revision = testbed.api.put(slice_object("web", ["10.244.0.2", "10.244.1.3"]))
    after = testbed.controller.wait_for(revision)
    assert after["flow_mods_sent"] - before["flow_mods_sent"] <= 4 * len(CLUSTER.nodes)
    flows = testbed.switch.ofctl("dump-flows", CLUSTER.nodes[0].bridge, f"table={TABLE_ID[ENDPOINT_DNAT]}")
    assert "10.244.1.3" in flows
    assert "10.244.1.2:" not in flows


def test_udp_connections_to_an_endpoint_that_went_are_forgotten(testbed: Testbed) -> None:
    """The rest stays: another endpoint's, and TCP's."""
    dns = [service_object("dns", ["10.96.0.53"], 53, "UDP"), slice_object("dns", ["10.244.1.2"], 5353, "UDP")]
    state = state_of(CLUSTER, *PODS, *SERVICE, *dns)
    testbed.api.put(cluster_object(nodes=2, ip_family="dual"), *PODS, *SERVICE, *dns)
    testbed.start(state)
    testbed.controller.wait_for(testbed.api.revision)
    shop = World(state, testbed.switch)
    for to, port, protocol in (("10.96.0.53", 53, UDP), ("10.96.0.10", 80, TCP)):
        shop.from_pod("a", ip_address(to), tcp_src=7000, tcp_dst=port, ip_proto=protocol)
    before = testbed.switch.control("dpctl/dump-conntrack")
    assert "dport=53)" in before
    detail = testbed.controller.wait_for(testbed.api.put(slice_object("dns", ["10.244.1.3"], 5353, "UDP")))
    assert detail["refused"] == []
    after = testbed.switch.control("dpctl/dump-conntrack")
    assert "dport=53)" not in after
    assert "dport=80)" in after
    (arrival,) = shop.from_pod("a", ip_address("10.96.0.53"), tcp_src=7000, tcp_dst=53, ip_proto=UDP)
    assert str(arrival.packet.ip_dst) == "10.244.1.3"


def node_port() -> dict[str, Any]:
    port = service_object("dns", ["10.96.0.53"], 53, "UDP")
    port["spec"] |= {"type": "NodePort"}
    port["spec"]["ports"][0]["nodePort"] = 30053
    return port


def reached_by_node_port(shop: World) -> set[str]:
    """Where a datagram ends that somebody outside sends, always from the same port."""
    node = CLUSTER.nodes[0]
    packet = Packet(
        node.gateway_mac, GATEWAY_MAC, ip_address("172.18.255.1"), node.addresses[0],
        tcp_src=12346, tcp_dst=30053, ip_proto=UDP,
    )  # fmt: skip
    return {str(arrival.packet.ip_dst) for arrival in shop.send(trunk_name(node), packet)}


def test_who_never_pauses_is_not_refused_for_ever(testbed: Testbed) -> None:
    """A node port without endpoints gets one, while a busy switch goes on for seconds by what it has cached: the refusal
    is written down again after it was forgotten, and then no packet is the first of its connection any more."""
    port = node_port()
    testbed.api.put(cluster_object(nodes=2, ip_family="dual"), *PODS, *SERVICE, port)
    state = state_of(CLUSTER, *PODS, *SERVICE, port)
    testbed.start(state)
    testbed.controller.wait_for(testbed.api.revision)
    asked = partial(reached_by_node_port, World(state, testbed.switch))
    refused = {str(REFUSING_ADDRESSES[4])}
    assert asked() == refused
    testbed.switch.control("revalidator/pause")
    testbed.controller.wait_for(testbed.api.put(slice_object("dns", ["10.244.0.2"], 5353, "UDP")))
    stale_until = time.monotonic() + 2 * REVALIDATED_S
    while time.monotonic() < stale_until:
        assert "10.244.0.2" not in asked()
        time.sleep(0.02)  # how often it sends
    assert f"reply=(src={REFUSING_ADDRESSES[4]}" in testbed.switch.control("dpctl/dump-conntrack")
    testbed.switch.control("revalidator/resume")
    wait_until(lambda: asked() == {"10.244.0.2"}, timeout_s=10, what="the endpoint")


def test_who_asked_a_node_port_before_its_service_came_reaches_it(testbed: Testbed) -> None:
    """Refused by the node's kernel, untranslated; and whoever never pauses is of that connection for ever."""
    before = state_of(CLUSTER, *PODS)
    testbed.api.put(cluster_object(nodes=2, ip_family="dual"), *PODS)
    testbed.start(before)
    testbed.controller.wait_for(testbed.api.revision)
    served = (node_port(), slice_object("dns", ["10.244.0.2"], 5353, "UDP"))
    asked = partial(reached_by_node_port, World(state_of(CLUSTER, *PODS, *served), testbed.switch))
    assert asked() == {str(CLUSTER.nodes[0].addresses[0])}
    testbed.controller.wait_for(testbed.api.put(*served))
    wait_until(lambda: asked() == {"10.244.0.2"}, timeout_s=10, what="the endpoint")


def test_what_a_switch_has_learned_stays_when_the_controller_is_back(testbed: Testbed) -> None:
    sticky = service_object("web", ["10.96.0.10"])
    sticky["spec"]["sessionAffinity"] = "ClientIP"
    testbed.api.put(cluster_object(nodes=2, ip_family="dual"), *PODS, sticky, SERVICE[1])
    state = state_of(CLUSTER, *PODS, sticky, SERVICE[1])
    testbed.start(state)
    testbed.controller.wait_for(testbed.api.revision)
    shop = World(state, testbed.switch)
    (arrival,) = shop.from_pod("a", ip_address("10.96.0.10"), tcp_src=7000, tcp_dst=80)
    testbed.controller.kill()
    testbed.controller.start()
    detail = testbed.controller.wait_for(testbed.api.revision)
    assert detail["flow_mods_sent"] == 0
    learned = testbed.switch.ofctl("dump-flows", CLUSTER.nodes[0].bridge, f"table={TABLE_ID[SESSION_AFFINITY]}")
    assert "nw_src=10.244.0.2,nw_dst=10.96.0.10" in learned
    assert "idle_timeout=10800" in learned
    (again,) = shop.from_pod("a", ip_address("10.96.0.10"), tcp_src=7001, tcp_dst=80)
    assert again.packet.ip_dst == arrival.packet.ip_dst


def test_a_restarted_switch_gets_its_flows_back(testbed: Testbed) -> None:
    testbed.controller.wait_for(start(testbed))
    testbed.switch.stop_vswitchd()
    wait_until(
        lambda: not any(node["connected"] for node in testbed.api.observed[1]["nodes"].values()),
        timeout_s=10,
        what="loss of the switches noticed",
    )
    testbed.switch.start_vswitchd()
    wait_until(
        lambda: all(node["connected"] and node["flows"] for node in testbed.api.observed[1]["nodes"].values()),
        timeout_s=10,
        what="switches back",
    )
    assert_as_compiled(testbed)
