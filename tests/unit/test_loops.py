"""The control plane: what a write costs, what a restart changes, what time brings."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import samples
from operations import calls

from cluster.context import Context
from cluster.controllers import replicasets
from cluster.defaults import complete
from cluster.deletion import is_deleting
from cluster.draft import Draft, Key, key_of
from cluster.loop_queue import LOOPS, Loop
from cluster.loops import ControlPlane, put_given
from cluster.objects import Object, labels, name, ready
from cluster.store import Store

READY = samples.ready_status({}, samples.NOW)


class Clock:
    def __init__(self) -> None:
        self.now = 1_704_067_200.0

    def __call__(self) -> float:
        return self.now

    def text(self) -> str:
        return samples.timestamp(self.now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    opened = Store(tmp_path / "store.sqlite", now=clock.text)
    yield opened
    opened.close()


def founded(store: Store, clock: Clock, *objects: Object, workers: int = 2) -> ControlPlane:
    plane = ControlPlane(store, samples.cluster(workers), clock)
    plane.found(samples.cluster_document(workers), objects)
    plane.settle()
    return plane


def test_a_write_that_raises_writes_nothing(store: Store, clock: Clock) -> None:
    plane = founded(store, clock)
    before = store.revision

    def change(draft: Draft) -> None:
        draft.put(samples.pod("a"))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        plane.write(change)
    assert (store.revision, store.get(("Pod", "default", "a"))) == (before, None)


def test_what_follows_from_a_write_is_settled_later(store: Store, clock: Clock) -> None:
    plane = founded(store, clock)
    told: list[None] = []
    plane.notify = lambda: told.append(None)
    plane.write(lambda draft: draft.put(samples.pod("a")))
    assert len(told) == 1
    assert "nodeName" not in (store.get(("Pod", "default", "a")) or {})["spec"]
    assert plane.settle()
    assert not plane.settle()
    assert (store.get(("Pod", "default", "a")) or {})["spec"]["nodeName"] == "worker"


def test_a_restart_finishes_what_was_not_settled_and_changes_nothing_else(store: Store, clock: Clock) -> None:
    plane = founded(store, clock, samples.workload("Deployment", "web", replicas=3), samples.service("web"))
    plane.write(lambda draft: draft.put(samples.pod("a")))
    after = ControlPlane(store, plane.cluster, clock)
    assert after.settle()
    assert (store.get(("Pod", "default", "a")) or {})["spec"]["nodeName"]
    revision = store.revision
    again = ControlPlane(store, plane.cluster, clock)
    assert not again.settle(), [change.key for change in store.changes_since(revision)]


def test_after_a_restart_silent_nodes_have_time_to_be_heard(store: Store, clock: Clock) -> None:
    plane = founded(store, clock)
    plane.heartbeat(["control-plane", "worker", "worker2"])
    plane.settle()
    clock.now += 60
    after = ControlPlane(store, plane.cluster, clock)
    after.settle()
    assert ready((store.get(("Node", "", "worker"))) or {})
    clock.now += 3
    after.heartbeat(["worker"])
    after.settle()
    clock.now += 3.1
    after.heartbeat(["worker"])
    after.settle()
    verdicts = {name(node): ready(node) for node in store.list(["Node"])}
    assert verdicts == {"control-plane": False, "worker": True, "worker2": False}


def test_a_server_that_was_busy_does_not_blame_the_nodes(store: Store, clock: Clock) -> None:
    plane = founded(store, clock)
    plane.heartbeat(["worker"])
    plane.settle()
    clock.now += 3
    plane.settle()
    assert ready((store.get(("Node", "", "worker"))) or {})


def test_a_heartbeat_writes_no_more_than_a_lease_every_ten_seconds(store: Store, clock: Clock) -> None:
    plane = founded(store, clock)
    plane.heartbeat(["worker"])
    plane.settle()
    before = store.revision
    for _ in range(27):
        clock.now += 0.5
        plane.heartbeat(["worker"])
        plane.settle()
    assert [change.key[0] for change in store.changes_since(before)] == ["Lease"]


def test_the_loops_ask_to_be_run_when_time_makes_something_due(store: Store, clock: Clock) -> None:
    plane = founded(store, clock)
    plane.heartbeat(["worker"])
    plane.settle()
    assert plane.next_due() == clock.now + plane.cluster.node_grace_s


def broken_for(monkeypatch: pytest.MonkeyPatch, its_name: str) -> list[float]:
    """The ReplicaSet loop raises for this one, after it has written something; when it looked at it."""
    looks: list[float] = []

    def look(context: Context, key: Key) -> None:
        replicasets.look(context, key)
        if key[2].startswith(its_name):
            looks.append(context.now)
            raise ValueError(f"no {its_name}")

    monkeypatch.setattr("cluster.loop_queue.LOOPS", {**LOOPS, "ReplicaSet": Loop(look)})
    return looks


def pods_of(store: Store, app: str) -> int:
    return sum(labels(pod).get("app") == app for pod in store.list(["Pod"]))


def test_an_exception_about_one_object_hinders_no_other(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks = broken_for(monkeypatch, "bad")
    plane = founded(store, clock, *(samples.workload("Deployment", which, replicas=2) for which in ("bad", "good")))
    assert (pods_of(store, "bad"), pods_of(store, "good"), len(looks)) == (0, 2, 1)
    (record,) = caplog.records
    assert "ReplicaSet default/bad-" in record.message
    assert record.exc_info is not None
    plane.write(lambda draft: draft.put(samples.pod("a")))
    plane.settle()
    assert (store.get(("Pod", "default", "a")) or {})["spec"]["nodeName"]


def test_after_an_exception_the_object_is_tried_again_ever_later(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = broken_for(monkeypatch, "bad")
    plane = founded(store, clock, samples.workload("Deployment", "bad", replicas=2))
    while looks[-1] - looks[0] < 5000:
        clock.now = max(clock.now, plane.next_due() or 0)
        plane.settle()
    pauses = [round(later - sooner, 3) for sooner, later in pairwise(looks)]
    assert pauses[:4] == [0.005, 0.01, 0.02, 0.04]
    assert pauses[-1] == 1000
    monkeypatch.undo()
    clock.now = plane.next_due() or 0
    plane.settle()
    assert pods_of(store, "bad") == 2


def test_what_was_written_before_an_exception_leaves_no_trace(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = founded(store, clock)
    broken_for(monkeypatch, "bad")
    plane.write(lambda draft: draft.put(complete(samples.workload("ReplicaSet", "bad", replicas=2), None)))
    before = store.revision
    assert not plane.settle()
    assert store.revision == before
    monkeypatch.undo()
    clock.now += 1
    plane.settle()
    assert [pod["status"]["podIP"] for pod in store.list(["Pod"]) if labels(pod).get("app") == "bad"] == ["10.244.1.2", "10.244.2.2"]


def test_two_loops_that_undo_each_others_work_are_stopped(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def look(context: Context, key: Key) -> None:
        a_set = context.get(key) or {}
        status = a_set.get("status") or {}
        context.update_status(a_set, {**status, "replicas": status.get("replicas", 0) + 1})

    plane = founded(store, clock)
    monkeypatch.setattr("cluster.loop_queue.LOOPS", {**LOOPS, "ReplicaSet": Loop(look)})
    plane.write(lambda draft: draft.put(complete(samples.workload("ReplicaSet", "mad", replicas=2), None)))
    plane.write(lambda draft: draft.put(samples.pod("a")))
    plane.settle()
    assert (store.get(("Pod", "default", "a")) or {})["spec"]["nodeName"]
    assert "do not settle" in caplog.text


@pytest.mark.parametrize(("kind", "spec"), [
    ("Deployment", {"replicas": 2**31 - 1}),
    ("StatefulSet", {"replicas": 2**31 - 1, "podManagementPolicy": "Parallel"}),
    ("Job", {"parallelism": 2**31 - 1, "completions": 2**31 - 1, "pod": {"restartPolicy": "Never"}}),
])  # fmt: skip
def test_a_huge_number_of_pods_is_made_in_bursts_and_only_as_far_as_they_find_a_place(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, kind: str, spec: dict[str, Any]
) -> None:
    monkeypatch.setattr(replicasets, "BURST", 40)
    plane = founded(store, clock)
    plane.write(lambda draft: put_given(draft, [samples.workload(kind, "huge", **spec)], plane.cluster))
    counts = []
    while plane.is_behind():
        plane.settle()
        counts.append(pods_of(store, "huge"))
    assert max(later - sooner for sooner, later in pairwise([0, *counts])) == 40
    bound = sum(bool(pod["spec"].get("nodeName")) for pod in store.list(["Pod"]) if labels(pod).get("app") == "huge")
    assert bound > 2 * 40, "there is place for more than a burst"
    assert counts[-1] == bound + 40


def test_a_huge_number_of_pods_is_deleted_in_bursts(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicasets, "BURST", 40)
    plane = founded(store, clock)
    plane.write(lambda draft: put_given(draft, [samples.workload("ReplicaSet", "web", replicas=100)], plane.cluster))
    while plane.is_behind():
        plane.settle()
    plane.write(lambda draft: put_given(draft, [samples.workload("ReplicaSet", "web", replicas=1)], plane.cluster))
    plane.settle()
    left = [pod for pod in store.list(["Pod"]) if labels(pod).get("app") == "web" and not is_deleting(pod)]
    assert len(left) == 60
    plane.settle()
    assert plane.is_behind()


def settle_calls(pods: int, path: Path) -> int:
    """What one status change of one pod costs to settle, in a cluster of so many pods."""
    store = Store(path)
    clock = Clock()
    objects = [samples.workload("Deployment", f"web{n}", replicas=50) for n in range(pods // 50)]
    plane = founded(store, clock, *objects, *(samples.service(f"web{n}") for n in range(pods // 50)), workers=10)
    pod = next(pod for pod in store.list(["Pod"]) if pod["metadata"]["namespace"] == "default")
    plane.write(lambda draft: draft.merge_status(key_of(pod), pod["metadata"]["uid"], READY))
    cost = calls(plane.settle)
    store.close()
    return cost


def test_the_cost_of_a_change_does_not_grow_with_the_cluster(tmp_path: Path) -> None:
    small, large = settle_calls(100, tmp_path / "small.sqlite"), settle_calls(1000, tmp_path / "large.sqlite")
    assert large < 1.5 * small, f"{small} calls with 100 pods, {large} with 1000"


def test_a_deployment_is_scaled_at_the_same_cost_per_pod(store: Store, clock: Clock) -> None:
    plane = founded(store, clock, samples.workload("Deployment", "web", replicas=10), samples.service("web"))
    stored = store.get(("Deployment", "default", "web"))
    assert stored is not None
    costs = {}
    for replicas in (60, 260):
        wanted = {**stored, "spec": {**stored["spec"], "replicas": replicas}}
        plane.write(lambda draft, wanted=wanted: draft.put(wanted))
        costs[replicas] = calls(plane.settle)
        assert sum(bool(pod.get("status", {}).get("podIP")) for pod in store.list(["Pod"])) == replicas + 2
    assert costs[260] / 200 < 1.5 * costs[60] / 50, f"for so many replicas so many calls: {costs}"
