"""The real application, on Ryu and on os-ken, programming a real Open vSwitch."""

from __future__ import annotations

from conftest import Testbed
from specs import cluster_object, model, pod_object, service_object, slice_object, state_of

from controller.compiler import compile
from controller.dummy_switch import wait_until

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
    groups = testbed.switch.ofctl("dump-groups", CLUSTER.nodes[0].bridge)
    assert "10.244.1.3" in groups
    assert "10.244.1.2:" not in groups


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
