"""Nodes that fall silent, their taints, and their pods."""

from __future__ import annotations

from typing import Any

import samples

from cluster.conditions import find
from cluster.deletion import is_deleting
from cluster.objects import Object, name, ready

NODES = ("control-plane", "worker", "worker2")


def heard(world: samples.Scratch, *nodes: str) -> None:
    """A sign of life of these nodes."""
    for node in nodes:
        world.heard[node] = world.now()
        world.loops.mark("Node", ("Node", "", node))
    world.settle()


def scratch(*objects: Object) -> samples.Scratch:
    world = samples.Scratch(samples.cluster(), objects)
    heard(world, *NODES)
    world.make_ready()
    return world


def silence(world: samples.Scratch, silent: str, seconds: int) -> None:
    """Everybody but one node is heard for so many seconds."""
    for _ in range(seconds):
        world.draft.now = samples.timestamp(world.now() + 1)
        for node in NODES:
            if node != silent:
                world.heard[node] = world.now()
        world.run()


def verdict(world: samples.Scratch, node: str, type: str = "Ready") -> tuple[str, str]:
    entry = find(world.one("Node", node, ""), type)
    assert entry is not None
    return entry["status"], entry["reason"]


def taints(world: samples.Scratch, node: str) -> list[tuple[str, str]]:
    return [(taint["key"], taint["effect"]) for taint in world.one("Node", node, "")["spec"].get("taints", ())]


def on(world: samples.Scratch, node: str) -> list[Object]:
    return [pod for pod in world.pods() if pod["spec"].get("nodeName") == node and not is_deleting(pod)]


def web(**pod: Any) -> Object:
    return samples.workload("Deployment", "web", pod=pod, replicas=2)


def test_a_node_of_which_nothing_was_ever_heard_is_left_alone() -> None:
    world = samples.Scratch(samples.cluster())
    assert find(world.one("Node", "worker", ""), "Ready") is None
    assert taints(world, "worker") == []


def test_a_node_that_is_heard_is_ready_and_has_a_lease() -> None:
    world = scratch()
    assert verdict(world, "worker") == ("True", "KubeletReady")
    assert verdict(world, "worker", "MemoryPressure") == ("False", "KubeletHasSufficientMemory")
    lease = world.one("Lease", "worker", "kube-node-lease")
    assert lease["spec"]["holderIdentity"] == "worker"
    assert lease["metadata"]["ownerReferences"][0]["kind"] == "Node"


def test_a_silent_node_is_unknown_and_tainted_and_its_pods_are_not_ready() -> None:
    world = scratch(web())
    silence(world, "worker", 1)
    assert verdict(world, "worker") == ("Unknown", "NodeStatusUnknown")
    unreachable = "node.kubernetes.io/unreachable"
    assert taints(world, "worker") == [(unreachable, "NoSchedule"), (unreachable, "NoExecute")]
    assert [ready(pod) for pod in on(world, "worker")] == [False]
    assert "Node worker status is now: NodeNotReady" in world.events("NodeNotReady")
    assert verdict(world, "worker2") == ("True", "KubeletReady")


def test_its_pods_go_to_other_nodes_when_their_patience_ends() -> None:
    world = scratch(web())
    assert len(on(world, "worker")) == 1
    silence(world, "worker", 2)
    assert len(on(world, "worker")) == 1, "two seconds of tolerance, from the taint on"
    silence(world, "worker", 2)
    assert on(world, "worker") == []
    assert len(on(world, "worker2")) == 2
    assert world.events("TaintManagerEviction")


def test_nodes_that_fall_silent_all_at_once_have_longer() -> None:
    world = scratch(web())
    world.wait(9)
    assert verdict(world, "worker") == ("True", "KubeletReady")
    world.wait(2)
    assert verdict(world, "worker") == ("Unknown", "NodeStatusUnknown")


def test_a_pod_that_tolerates_it_for_good_stays() -> None:
    world = scratch(web(tolerations=[{"key": "node.kubernetes.io/unreachable", "operator": "Exists"}]))
    silence(world, "worker", 10)
    assert len(on(world, "worker")) == 1


def test_a_daemon_stays() -> None:
    world = scratch(samples.workload("DaemonSet", "agent"))
    silence(world, "worker", 10)
    assert len(on(world, "worker")) == 1


def test_a_node_that_comes_back_is_ready_and_untainted() -> None:
    world = scratch()
    silence(world, "worker", 3)
    heard(world, "worker")
    assert verdict(world, "worker") == ("True", "KubeletReady")
    assert taints(world, "worker") == []
    world.draft.put(samples.pod("a", nodeSelector={"kubernetes.io/hostname": "worker"}))
    world.settle()
    assert [name(pod) for pod in on(world, "worker")] == ["a"]


def test_cordoning_is_a_taint() -> None:
    world = scratch()
    node = world.one("Node", "worker", "")
    world.draft.put({**node, "spec": {**node["spec"], "unschedulable": True}})
    world.settle()
    assert taints(world, "worker") == [("node.kubernetes.io/unschedulable", "NoSchedule")]
    node = world.one("Node", "worker", "")
    world.draft.put({**node, "spec": {key: value for key, value in node["spec"].items() if key != "unschedulable"}})
    world.settle()
    assert taints(world, "worker") == []


def test_a_no_execute_taint_evicts_at_once_or_after_the_time_tolerated() -> None:
    patient = {"key": "fire", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}
    world = scratch(
        samples.pod("hasty", nodeName="worker"), samples.pod("patient", nodeName="worker", tolerations=[patient])
    )
    node = world.one("Node", "worker", "")
    taint = {"key": "fire", "effect": "NoExecute", "timeAdded": world.draft.now}
    world.draft.put({**node, "spec": {**node["spec"], "taints": [taint]}})
    world.settle()
    assert [name(pod) for pod in on(world, "worker")] == ["patient"]
    world.heard.update(dict.fromkeys(NODES, world.now() + 100))
    world.wait(60)
    assert on(world, "worker") == []


def test_the_pods_of_a_deleted_node_are_deleted() -> None:
    world = scratch(web())
    world.delete(world.one("Node", "worker", ""))
    assert {pod["spec"]["nodeName"] for pod in world.pods() if pod["metadata"]["namespace"] == "default"} == {"worker2"}
