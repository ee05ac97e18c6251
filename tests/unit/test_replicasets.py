"""ReplicaSets: which pods are theirs, and which go first."""

from __future__ import annotations

from typing import Any

import samples

from cluster.deletion import DeleteOptions
from cluster.loops import put_given
from cluster.objects import Object, labels, name
from cluster.ownership import controller_uid


def replica_set(**spec: Any) -> Object:
    return samples.workload("ReplicaSet", "web", **{"replicas": 3, **spec})


def scratch(*objects: Object) -> samples.Scratch:
    return samples.Scratch(samples.cluster(), objects or [replica_set()])


def mine(world: samples.Scratch) -> list[Object]:
    uid = world.one("ReplicaSet", "web")["metadata"]["uid"]
    return [pod for pod in world.pods() if controller_uid(pod) == uid]


def put(world: samples.Scratch, *objects: Object) -> None:
    put_given(world.draft, objects, world.cluster)
    world.settle()


def test_a_matching_pod_without_owner_is_adopted() -> None:
    world = scratch(samples.pod("a", {"app": "web"}), replica_set())
    assert len(mine(world)) == 3
    assert "a" in map(name, mine(world))


def test_a_pod_that_comes_later_is_adopted_and_one_too_many() -> None:
    world = scratch()
    put(world, samples.pod("late", {"app": "web"}))
    assert len(world.pods()) == 3 + 0


def test_a_relabelled_pod_is_released_and_replaced() -> None:
    world = scratch()
    pod = world.pods()[0]
    world.draft.put({**pod, "metadata": {**pod["metadata"], "labels": {"app": "debug"}}})
    world.settle()
    assert len(mine(world)) == 3
    released = next(a_pod for a_pod in world.pods() if labels(a_pod) == {"app": "debug"})
    assert "ownerReferences" not in released["metadata"]


def test_pods_are_left_behind_on_request() -> None:
    world = scratch()
    world.delete(world.one("ReplicaSet", "web"), DeleteOptions(propagation="Orphan"))
    assert [controller_uid(pod) for pod in world.pods()] == [None] * 3


def test_a_foreground_deletion_waits_for_the_pods() -> None:
    world = scratch()
    from cluster.deletion import delete

    delete(world.draft, ("ReplicaSet", "default", "web"), DeleteOptions(propagation="Foreground"))
    world.run()
    assert world.one("ReplicaSet", "web")["metadata"]["finalizers"] == ["foregroundDeletion"]
    world.settle()
    assert (world.draft.objects("ReplicaSet"), world.pods()) == ([], [])


def test_the_cheaper_pod_goes_first() -> None:
    world = scratch()
    world.make_ready()
    first = world.pods()[0]
    cost = {"controller.kubernetes.io/pod-deletion-cost": "-5"}
    annotations = {**first["metadata"]["annotations"], **cost}
    world.draft.put({**first, "metadata": {**first["metadata"], "annotations": annotations}})
    put(world, replica_set(replicas=2))
    assert name(first) not in world.pod_names()


def test_the_pod_that_shares_its_node_goes_before_the_one_that_is_alone() -> None:
    world = scratch()
    world.make_ready()
    nodes = [pod["spec"]["nodeName"] for pod in world.pods()]
    assert sorted(nodes) == ["worker", "worker", "worker2"]
    put(world, replica_set(replicas=2))
    assert sorted(pod["spec"]["nodeName"] for pod in world.pods()) == ["worker", "worker2"]


def test_the_status_counts_labelled_ready_and_available_pods() -> None:
    world = scratch()
    world.make_ready()
    assert world.one("ReplicaSet", "web")["status"] == {
        "replicas": 3,
        "fullyLabeledReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "observedGeneration": 1,
    }


def test_many_creations_are_few_events() -> None:
    world = scratch(replica_set(replicas=50))
    assert len(world.events("SuccessfulCreate")) == 11
