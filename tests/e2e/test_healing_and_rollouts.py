"""Workloads that change while they run: replaced pods, rolling updates, evictions. Figures are those of "Done when"."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from manifests import Object, cluster
from testbeds import PATIENCE_S, Testbed, is_ready, started

from cluster.client import Client, Event
from topo.waiting import wait_until

REPLACED_WITHIN_S = 1.0
REPLICAS, SURGE, UNAVAILABLE = 50, 10, 5


def deployment(name: str, replicas: int, version: str = "1") -> Object:
    """A Deployment of quick servers; `version` is in the template only."""
    labels = {"app": name}
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": SURGE, "maxUnavailable": UNAVAILABLE}}
    container = {
        "name": "web",
        "image": "registry.k8s.io/e2e-test-images/agnhost:2.47",
        "args": ["netexec", "--http-port=8080"],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
    }
    template = {
        "metadata": {"labels": labels, "annotations": {"version": version}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "strategy": strategy, "template": template},
    }


@dataclass
class Seen:
    """A watch of the Pods: every change, with the time at which it came."""

    changes: list[tuple[float, Event]] = field(default_factory=list)

    def of(self, app: str, since: int = 0) -> list[tuple[float, Event]]:
        return [(at, event) for at, event in self.changes[since:] if _app(event.object) == app]


@contextmanager
def watching(testbed: Testbed) -> Iterator[Seen]:
    seen, client = Seen(), Client(testbed.directory / "api.sock")
    first = threading.Event()

    def watch() -> None:
        for batch in client.watch(["Pod"]):
            seen.changes += [(time.monotonic(), event) for event in batch.events]
            first.set()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    assert first.wait(PATIENCE_S)
    try:
        yield seen
    finally:
        client.close()
        thread.join(PATIENCE_S)


def _app(pod: Object) -> str | None:
    found: str | None = (pod["metadata"].get("labels") or {}).get("app")
    return found


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    with started(cluster(workers=3), deployment("web", 3)) as running:
        yield running


def pods_of(testbed: Testbed, app: str) -> list[Object]:
    return [pod for pod in testbed.client.objects(["Pod"])[1] if _app(pod) == app]


def test_a_deleted_pod_is_replaced_in_less_than_a_second(testbed: Testbed) -> None:
    before = pods_of(testbed, "web")
    addresses = {pod["status"]["podIP"] for pod in before}
    uids = {pod["metadata"]["uid"] for pod in before}
    with watching(testbed) as seen:
        known = len(seen.changes)
        start = time.monotonic()
        testbed.client.delete("Pod", "default", before[0]["metadata"]["name"])

        def replaced() -> tuple[float, Object] | None:
            fresh = ((at, event.object) for at, event in seen.of("web", known) if event.type != "DELETED")
            return next(((at, pod) for at, pod in fresh if pod["metadata"]["uid"] not in uids and is_ready(pod)), None)

        wait_until(lambda: replaced() is not None, PATIENCE_S, "another pod to be ready")
        found = replaced()
    assert found is not None
    at, pod = found
    assert at - start < REPLACED_WITHIN_S
    assert pod["status"]["podIP"] not in addresses
    testbed.client.sync(PATIENCE_S)


def test_a_rolling_update_respects_its_bounds_at_every_instant(testbed: Testbed) -> None:
    testbed.client.apply([deployment("many", REPLICAS)])
    testbed.client.sync(PATIENCE_S)
    with watching(testbed) as seen:
        testbed.client.apply([deployment("many", REPLICAS, "2")])
        testbed.client.sync(PATIENCE_S)
        wait_until(lambda: _updated(seen), PATIENCE_S, "the update to be done")
        changes = seen.of("many")
    alive: dict[str, Object] = {}
    counts = []
    for number, (_, event) in enumerate(changes):
        uid = event.object["metadata"]["uid"]
        alive[uid] = event.object
        if event.type == "DELETED" or "deletionTimestamp" in event.object["metadata"]:
            del alive[uid]
        if number + 1 >= REPLICAS:  # the first ones tell what there is
            counts.append((len(alive), sum(map(is_ready, alive.values()))))
    assert max(pods for pods, _ in counts) <= REPLICAS + SURGE
    assert min(ready for _, ready in counts) >= REPLICAS - UNAVAILABLE
    assert {pod["metadata"]["annotations"]["version"] for pod in alive.values()} == {"2"}


def _updated(seen: Seen) -> bool:
    last = {event.object["metadata"]["uid"]: event for _, event in seen.of("many")}
    left = [event.object for event in last.values() if event.type != "DELETED"]
    new = [pod for pod in left if pod["metadata"]["annotations"]["version"] == "2" and is_ready(pod)]
    return len(left) == len(new) == REPLICAS
