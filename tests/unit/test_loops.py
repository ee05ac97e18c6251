"""The control plane: what a write costs, what a restart changes, what time brings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import samples

from cluster.draft import Draft, key_of
from cluster.loops import ControlPlane
from cluster.objects import Object, name, ready
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


def settle_ms(pods: int, path: Path) -> float:
    """The best time that one status change of one pod takes to settle, in a cluster of so many pods."""
    store = Store(path)
    clock = Clock()
    objects = [samples.workload("Deployment", f"web{n}", replicas=50) for n in range(pods // 50)]
    plane = founded(store, clock, *objects, *(samples.service(f"web{n}") for n in range(pods // 50)), workers=10)
    times = []
    for pod in [pod for pod in store.list(["Pod"]) if pod["metadata"]["namespace"] == "default"][:10]:
        plane.write(lambda draft, pod=pod: draft.merge_status(key_of(pod), pod["metadata"]["uid"], READY))
        start = time.perf_counter()
        assert plane.settle()
        times.append(time.perf_counter() - start)
    store.close()
    return min(times) * 1000


def test_the_cost_of_a_change_does_not_grow_with_the_cluster(tmp_path: Path) -> None:
    small, large = settle_ms(100, tmp_path / "small.sqlite"), settle_ms(2000, tmp_path / "large.sqlite")
    assert large < 3 * small + 2, f"{small:.1f} ms with 100 pods, {large:.1f} ms with 2000"


def test_a_deployment_is_scaled_to_500_in_a_moment(store: Store, clock: Clock) -> None:
    plane = founded(store, clock, samples.workload("Deployment", "web", replicas=10), samples.service("web"))
    stored = store.get(("Deployment", "default", "web"))
    assert stored is not None
    plane.write(lambda draft: draft.put({**stored, "spec": {**stored["spec"], "replicas": 500}}))
    start = time.perf_counter()
    plane.settle()
    took_s = time.perf_counter() - start
    assert sum(bool(pod.get("status", {}).get("podIP")) for pod in store.list(["Pod"])) == 501
    assert took_s < 0.8
