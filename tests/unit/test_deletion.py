"""Deletion: at once, after a grace period, when finalizers let go."""

from __future__ import annotations

from typing import Any

import pytest
import samples

from cluster.deletion import DeleteOptions, delete, ended, is_deleting, release
from cluster.draft import Draft, key_of
from cluster.objects import Object

NOW = "2024-01-01T00:00:00Z"


def stored(obj: Object, **metadata: Any) -> tuple[Draft, Object]:
    draft = Draft({}, now=NOW)
    return draft, draft.put({**obj, "metadata": {**obj["metadata"], **metadata}})


def bound(**spec: Any) -> Object:
    return samples.pod("a", nodeName="worker", **spec)


def test_what_is_not_there_cannot_be_deleted() -> None:
    assert delete(Draft({}), ("Pod", "default", "a")) is None


def test_a_bound_pod_terminates_first() -> None:
    draft, pod = stored(bound(terminationGracePeriodSeconds=10))
    left = delete(draft, key_of(pod))
    assert left is not None
    assert left["metadata"]["deletionTimestamp"] == "2024-01-01T00:00:10Z"
    assert left["metadata"]["deletionGracePeriodSeconds"] == 10


def test_it_goes_when_its_node_says_so() -> None:
    draft, pod = stored(bound())
    delete(draft, key_of(pod))
    ended(draft, key_of(pod), "another uid")
    assert draft.get(key_of(pod)) is not None
    ended(draft, key_of(pod), pod["metadata"]["uid"])
    assert draft.get(key_of(pod)) is None


def test_a_pod_that_nobody_deletes_does_not_go_with_its_process() -> None:
    draft, pod = stored(bound())
    ended(draft, key_of(pod), pod["metadata"]["uid"])
    assert draft.get(key_of(pod)) is not None


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_finished_pod_goes_at_once(phase: str) -> None:
    draft, pod = stored({**bound(), "status": {"phase": phase}})
    delete(draft, key_of(pod))
    assert draft.get(key_of(pod)) is None


def test_a_pod_without_a_node_goes_at_once() -> None:
    draft, pod = stored(samples.pod("a"))
    delete(draft, key_of(pod))
    assert draft.get(key_of(pod)) is None


def test_a_second_deletion_can_only_shorten_the_grace_period() -> None:
    draft, pod = stored(bound())
    delete(draft, key_of(pod), DeleteOptions(grace_period_s=5))
    delete(draft, key_of(pod), DeleteOptions(grace_period_s=60))
    left = draft.get(key_of(pod))
    assert left is not None
    assert left["metadata"]["deletionGracePeriodSeconds"] == 5
    delete(draft, key_of(pod), DeleteOptions(grace_period_s=0))
    assert draft.get(key_of(pod)) is None


def test_a_finalizer_holds_an_object_until_it_lets_go() -> None:
    draft, service = stored(samples.service("web"), finalizers=["example.com/a", "example.com/b"])
    held = delete(draft, key_of(service))
    assert held is not None
    assert is_deleting(held)
    release(draft, held, "example.com/a")
    left = draft.get(key_of(service))
    assert left is not None
    assert left["metadata"]["finalizers"] == ["example.com/b"]
    release(draft, left, "example.com/b")
    assert draft.get(key_of(service)) is None


@pytest.mark.parametrize(
    ("propagation", "finalizers"), [("Foreground", ["foregroundDeletion"]), ("Orphan", ["orphan"])]
)
def test_the_propagation_policy_is_a_finalizer(propagation: Any, finalizers: list[str]) -> None:
    draft, deployment = stored(samples.workload("Deployment", "web"))
    left = delete(draft, key_of(deployment), DeleteOptions(propagation=propagation))
    assert left is not None
    assert left["metadata"]["finalizers"] == finalizers
    delete(draft, key_of(deployment), DeleteOptions(propagation="Background"))
    assert draft.get(key_of(deployment)) is None


def test_a_replication_controller_leaves_its_pods_by_default() -> None:
    draft, controller = stored({**samples.workload("ReplicationController", "web"), "apiVersion": "v1"})
    left = delete(draft, key_of(controller))
    assert left is not None
    assert left["metadata"]["finalizers"] == ["orphan"]


def test_a_namespace_waits_for_its_content() -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    draft, namespace = stored({**space, "spec": {"finalizers": ["kubernetes"]}})
    left = delete(draft, key_of(namespace))
    assert left is not None
    assert is_deleting(left)
    assert draft.get(key_of(namespace)) is not None
