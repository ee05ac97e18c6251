"""Compiled step by step or at once, the flows are the same; what did not change stays the very object it was."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.reading.config import resolve
from controller.compiler import Compiler, compile
from controller.state import Change, NetworkState, apply, object_key, state_of

CLUSTER = resolve(
    {
        "kind": "Cluster",
        "apiVersion": "mininetes.dev/v1alpha1",
        "nodes": [{"role": "control-plane"}, {"role": "worker"}, {"role": "worker"}],
        "networking": {"ipFamily": "dual"},
    }
)


def pod(name: str, node_index: int, number: int) -> dict[str, Any]:
    node = CLUSTER.nodes[node_index]
    return {
        "kind": "Pod",
        "metadata": {"namespace": "x", "name": name, "uid": name},
        "spec": {"nodeName": node.name},
        "status": {"podIPs": [{"ip": str(cidr.network_address + number)} for cidr in node.pod_cidrs]},
    }


def service(name: str, last_octet: int, port: int) -> dict[str, Any]:
    return {
        "kind": "Service",
        "metadata": {"namespace": "x", "name": name},
        "spec": {"clusterIPs": [f"10.96.0.{last_octet}"], "ports": [{"port": port}]},
    }


def endpoints(name: str, of_service: str, numbers: list[int]) -> dict[str, Any]:
    return {
        "kind": "EndpointSlice",
        "metadata": {"namespace": "x", "name": name, "labels": {"kubernetes.io/service-name": of_service}},
        "addressType": "IPv4",
        "ports": [{"port": 8080}],
        "endpoints": [{"addresses": [f"10.244.0.{number}"]} for number in numbers],
    }


names = st.sampled_from("abc")
objects = st.one_of(
    # A pod's number and a Service's address follow from the name: the allocators never give one to two at once.
    st.builds(lambda name, node: pod(name, node, 2 + "abc".index(name)), names, st.integers(0, 2)),
    st.builds(lambda name, port: service(name, 20 + "abc".index(name), port), names, st.integers(1, 3)),
    st.builds(endpoints, names, names, st.lists(st.integers(2, 6), max_size=3)),
)
steps = st.lists(st.lists(st.tuples(objects, st.booleans()), max_size=4), max_size=6)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps)
def test_step_by_step_is_the_same_as_at_once(batches: list[list[tuple[dict[str, Any], bool]]]) -> None:
    state = NetworkState(CLUSTER)
    compiler = Compiler(state)
    for batch in batches:
        changes = [Change(obj["kind"], object_key(obj), None if gone else obj) for obj, gone in batch]
        compiler.update(state, apply(state, changes))
    at_once = compile(state)
    for node, table in at_once.items():
        assert set(map(str, compiler.tables[node])) == set(map(str, table))
        assert compiler.tables[node].groups == table.groups




def test_a_flow_that_all_nodes_hold_is_one_object() -> None:
    tables = compile(state_of(CLUSTER, service("a", 20, 80), endpoints("a", "a", [2])))
    first, *others = tables.values()
    for key, flow in first.flows.items():
        if flow.owner.startswith(("Service", "Cluster")):
            assert all(other.flows[key] is flow for other in others)


def test_one_changed_pod_compiles_one_pod() -> None:
    state = state_of(CLUSTER, pod("a", 0, 2), pod("b", 0, 3))
    compiler = Compiler(state)
    before = {key: id(flow) for key, flow in compiler.tables[CLUSTER.nodes[0].name].flows.items()}
    moved = pod("a", 1, 2)
    changed = apply(state, [Change("Pod", "x/a", moved)])
    assert changed == {("Pod", "x/a")}
    assert compiler.update(state, changed) == {CLUSTER.nodes[0].name, CLUSTER.nodes[1].name}
    after = {key: id(flow) for key, flow in compiler.tables[CLUSTER.nodes[0].name].flows.items()}
    assert after.items() < before.items()


def test_repeating_everything_changes_nothing() -> None:
    everything = [pod("a", 0, 2), service("a", 20, 80), endpoints("a", "a", [2])]
    changes = [Change(obj["kind"], object_key(obj), obj) for obj in everything]
    state = state_of(CLUSTER, *everything)
    assert apply(state, changes) == frozenset()
    assert state == state_of(CLUSTER, *everything)
