"""DaemonSets: where they run, and how they are updated."""

from __future__ import annotations

from typing import Any

import samples

from cluster.loops import put_given
from cluster.objects import Object, name


def daemon_set(version: str = "1", **spec: Any) -> Object:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    return samples.workload("DaemonSet", "agent", pod={"priority": int(version)}, **{"updateStrategy": strategy, **spec})


def scratch(workers: int = 3, **spec: Any) -> samples.Scratch:
    world = samples.Scratch(samples.cluster(workers), [daemon_set(**spec)])
    world.make_ready()
    return world


def update(world: samples.Scratch, **spec: Any) -> None:
    put_given(world.draft, [daemon_set(**spec)], world.cluster)
    world.settle()


def versions(world: samples.Scratch) -> list[int]:
    return sorted(pod["spec"]["priority"] for pod in world.pods())


def patch_node(world: samples.Scratch, node_name: str, **spec: Any) -> None:
    node = world.one("Node", node_name, "")
    world.draft.put({**node, "spec": {**node["spec"], **spec}})
    world.settle()


def nodes(world: samples.Scratch) -> list[str]:
    return sorted(pod["spec"]["nodeName"] for pod in world.pods())


def test_one_node_after_the_other_is_updated() -> None:
    world = scratch()
    update(world, version="2")
    assert versions(world) == [1, 1, 2]
    world.make_ready()
    assert versions(world) == [2, 2, 2]


def test_max_unavailable_updates_several_at_once() -> None:
    world = scratch()
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "60%"}}
    update(world, version="2", updateStrategy=strategy)
    assert versions(world) == [1, 2, 2], "60% of three nodes, rounded up"


def test_a_surge_makes_the_new_pod_before_the_old_one_goes() -> None:
    world = scratch()
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    update(world, version="2", updateStrategy=strategy)
    assert versions(world) == [1, 1, 1, 2]
    world.make_ready()
    assert versions(world) == [2, 2, 2]


def test_on_delete_waits_for_the_user() -> None:
    world = scratch()
    update(world, version="2", updateStrategy={"type": "OnDelete"})
    assert versions(world) == [1, 1, 1]
    world.delete(world.pods()[0])
    assert versions(world) == [1, 1, 2]


def test_a_cordoned_node_keeps_its_daemon() -> None:
    world = scratch()
    patch_node(world, "worker", unschedulable=True)
    assert nodes(world) == ["worker", "worker2", "worker3"]
    world.delete(next(pod for pod in world.pods() if pod["spec"]["nodeName"] == "worker"))
    assert nodes(world) == ["worker", "worker2", "worker3"]


def test_a_no_execute_taint_drives_it_away_and_its_end_brings_it_back() -> None:
    world = scratch()
    patch_node(world, "worker", taints=[{"key": "k", "effect": "NoExecute"}])
    assert nodes(world) == ["worker2", "worker3"]
    patch_node(world, "worker", taints=[])
    assert nodes(world) == ["worker", "worker2", "worker3"]


def test_a_no_schedule_taint_leaves_it_there() -> None:
    world = scratch()
    patch_node(world, "worker", taints=[{"key": "k", "effect": "NoSchedule"}])
    assert nodes(world) == ["worker", "worker2", "worker3"]
    assert world.one("DaemonSet", "agent")["status"]["numberMisscheduled"] == 1


def test_a_failed_daemon_is_replaced() -> None:
    world = scratch()
    failed = world.pods()[0]
    world.report(failed, {"phase": "Failed"})
    assert name(failed) not in world.pod_names()
    assert nodes(world) == ["worker", "worker2", "worker3"]


def test_the_status_counts_nodes() -> None:
    assert scratch().one("DaemonSet", "agent")["status"] == {
        "currentNumberScheduled": 3,
        "desiredNumberScheduled": 3,
        "numberMisscheduled": 0,
        "numberReady": 3,
        "updatedNumberScheduled": 3,
        "numberAvailable": 3,
        "observedGeneration": 1,
    }


def test_old_templates_are_kept_as_revisions() -> None:
    world = scratch()
    update(world, version="2")
    world.make_ready()
    assert [one["revision"] for one in world.draft.objects("ControllerRevision")] == [1, 2]
