"""Random histories: users who write what they like, pods that do what they like.

At every instant, that is after every single change that a watch would tell: no more than replicas + maxSurge pods and,
while all pods that started became ready, no fewer than replicas - maxUnavailable available ones. Without any more
disturbance everything comes to what was asked for, and a restart finds nothing left to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import samples
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.controllers.rollouts import Bounds, bounds
from cluster.deletion import is_deleting
from cluster.draft import Key
from cluster.loops import put_given
from cluster.objects import Object, labels, ready

Step = tuple[str, int]

STEPS = st.lists(
    st.tuples(st.sampled_from(["ready", "unready", "update", "delete", "scale", "restart", "end", "wait"]), st.integers(0, 9)),
    max_size=40,
)
STRATEGIES = st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(lambda pair: pair != (0, 0))


@dataclass
class Watcher:
    """Sees every change, as a watch does, and counts the pods of the Deployment."""

    limit: int
    least: int = 0
    alive: int = 0
    available: int = 0

    def see(self, key: Key, old: Object | None, new: Object | None) -> None:
        if key[0] != "Pod" or not any(obj and labels(obj).get("app") == "web" for obj in (old, new)):
            return
        self.alive += _counts(new) - _counts(old)
        self.available += (_counts(new) and ready(new or {})) - (_counts(old) and ready(old or {}))
        assert self.alive <= self.limit, f"{self.alive} pods, at most {self.limit} are allowed"
        if not _counts(new) and _counts(old) and ready(old or {}):
            assert self.available >= self.least, f"{self.available} available, {self.least} are to be"


def _counts(pod: Object | None) -> bool:
    return pod is not None and not is_deleting(pod)


class History:
    """A Deployment that lives through steps; without delay, its terminating pods end when told to only."""

    def __init__(self, replicas: int, surge: int, unavailable: int) -> None:
        self.replicas, self.strategy, self.version = replicas, (surge, unavailable), 0
        self.watcher = Watcher(limit=replicas + surge)
        self.world = samples.Scratch(samples.cluster(), [self._deployment()])
        self.watcher.alive = len(self.pods())
        self._listen()

    def do(self, step: Step) -> None:
        what, number = step
        pods = self.pods()
        pod = pods[number % len(pods)] if pods else None
        if what == "update":
            self.version += 1
            put_given(self.world.draft, [self._deployment()], self.world.cluster)
        elif what == "restart":
            self.world.restart()
            self._listen()
        elif what == "end":
            self.world.settle()
        elif what == "wait":
            self.world.draft.now = samples.timestamp(self.world.now() + number)
        elif what in ("ready", "unready") and pod is not None and samples.is_bound(pod):
            status = samples.ready_status(pod, self.world.draft.now) if what == "ready" else samples.running(pod, False)["status"]
            self.world.draft.merge_status(samples.key_of(pod), pod["metadata"]["uid"], status)
        elif what == "delete" and pod is not None:
            self._disturb(pod)
        elif what == "scale":
            self._scale(number)
        self.world.run()

    def pods(self) -> Sequence[Object]:
        return [pod for pod in self.world.pods() if labels(pod).get("app") == "web" and not is_deleting(pod)]

    def _disturb(self, pod: Object) -> None:
        """What a user takes away is not the controller's doing."""
        least, self.watcher.least = self.watcher.least, 0
        samples.delete(self.world.draft, samples.key_of(pod))
        self.watcher.least = least

    def _scale(self, replicas: int) -> None:
        self.replicas = replicas
        # While it shrinks there are more than it is to have: the new limits hold once it has.
        before, self.watcher.limit = self.watcher.limit, max(self.watcher.limit, replicas + self.strategy[0])
        self.watcher.least = 0
        put_given(self.world.draft, [self._deployment()], self.world.cluster)
        self.world.run()
        self.watcher.limit = max(self.watcher.alive, replicas + self.strategy[0])
        assert before >= 0

    def guard(self) -> None:
        """From now on the lower bound holds too: everything is available."""
        limits = self.bounds()
        self.watcher.limit = self.replicas + limits.surge
        self.watcher.least = self.replicas - limits.unavailable

    def bounds(self) -> Bounds:
        return bounds(self.world.one("Deployment", "web"))

    def _deployment(self) -> Object:
        surge, unavailable = self.strategy
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
        pod = {"hostname": f"v{self.version}"}
        return samples.workload("Deployment", "web", pod=pod, replicas=self.replicas, strategy=strategy)

    def _listen(self) -> None:
        """See what the loops see."""
        observe = self.world.loops.observe

        def seen(draft: samples.Draft, key: Key, old: Object | None, new: Object | None) -> None:
            self.watcher.see(key, old, new)
            observe(draft, key, old, new)

        self.world.loops.observe = seen  # type: ignore[method-assign]


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 8), STRATEGIES, STEPS)
def test_no_history_breaks_the_bounds_or_leaves_something_undone(replicas: int, strategy: tuple[int, int], steps: list[Step]) -> None:
    history = History(replicas, *strategy)
    for step in steps:
        history.do(step)
    history.world.settle()
    history.world.make_ready()
    pods = history.pods()
    assert len(pods) == history.replicas
    assert {pod["spec"]["hostname"] for pod in pods} <= {f"v{history.version}"}
    before = history.world.draft.created
    history.world.restart()
    history.world.run()
    assert history.world.draft.created == before


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 10), STRATEGIES, st.lists(st.integers(0, 9), min_size=1, max_size=60))
def test_an_update_keeps_enough_pods_available_at_every_instant(
    replicas: int, strategy: tuple[int, int], order: list[int]
) -> None:
    """The pods become ready in any order; now and then the template changes again."""
    history = History(replicas, *strategy)
    history.world.make_ready()
    history.guard()
    for number in order:
        if number == 0:
            history.do(("update", 0))
        unready = [pod for pod in history.pods() if not ready(pod)]
        if unready:
            pod = unready[number % len(unready)]
            status = samples.ready_status(pod, history.world.draft.now)
            history.world.draft.merge_status(samples.key_of(pod), pod["metadata"]["uid"], status)
            history.world.run()
    history.world.settle()
    history.world.make_ready()
    assert {pod["spec"]["hostname"] for pod in history.pods()} == {f"v{history.version}"}
