"""The loops and what they have to look at: marks, and times at which to look again.

`Loops` is told of every change (`observe`); `run` lets the loops look at what is marked until nothing is. The order of
the loops follows the way that things take: from owners to pods, to nodes, to addresses, to endpoints.

As in Kubernetes' work queues, an object that makes its loop raise hinders nobody else: what the loop wrote about it is
taken back, and it is looked at again when it changes, or after a while that doubles with every failure.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from cluster.broadcaster import AT_ONCE, Broadcaster
from cluster.context import Context
from cluster.controllers import (
    collector,
    cronjobs,
    daemonsets,
    deployments,
    disruption,
    endpoints_objects,
    event_expiry,
    ingress_controllers,
    jobs,
    kubernetes_service,
    load_balancers,
    mirroring,
    namespaces,
    node_lifecycle,
    replicasets,
    service_slices,
    services,
    statefulsets,
)
from cluster.draft import Draft, Key, key_of
from cluster.index import SELECTING_KINDS, Index
from cluster.marks import Mark, marks
from cluster.model import Cluster
from cluster.objects import Object
from cluster.scheduling import placing

Failure = Callable[[str, Key, Exception], None]
"""Told of the name of a loop, the object it looked at, and what it raised."""

MAX_LOOKS = 1000
"""At one object, by one loop, in one run; more mean that two loops undo each other's work."""

TURN = 150
"""New objects at a time: about 50 ms. So nodes make the first pods of a large cluster while others are still to be
placed, and requests do not wait for all of them."""

FIRST_RETRY_S, LAST_RETRY_S = 0.005, 1000.0
"""Between a failure and the next look, doubled with every failure (workqueue's DefaultControllerRateLimiter)."""


def _as_marked(context: Context, keys: Sequence[Key]) -> Sequence[Key]:
    return keys


def _raise(loop: str, key: Key, error: Exception) -> NoReturn:
    raise error


@dataclass(frozen=True, slots=True)
class Loop:
    """`look` looks at one object. `order` says which ones, and in which order, of those that are marked."""

    look: Callable[[Context, Key], None]
    order: Callable[[Context, Sequence[Key]], Sequence[Key]] = _as_marked


LOOPS: Mapping[str, Loop] = {
    "ingress controllers": Loop(ingress_controllers.look),
    "Namespace": Loop(namespaces.look),
    "collector": Loop(collector.look),
    "Node": Loop(node_lifecycle.look),
    "evictions": Loop(node_lifecycle.evict),
    "CronJob": Loop(cronjobs.look),
    "Job": Loop(jobs.look),
    "ReplicaSet": Loop(replicasets.look),
    "ReplicationController": Loop(replicasets.look),
    "Deployment": Loop(deployments.look),
    "StatefulSet": Loop(statefulsets.look),
    "DaemonSet": Loop(daemonsets.look),
    "Service": Loop(services.look),
    "load balancers": Loop(load_balancers.look),
    "scheduler": Loop(placing.bind, placing.in_turn),
    "addresses": Loop(placing.address),
    "endpointslices": Loop(service_slices.look),
    "endpoints": Loop(endpoints_objects.look),
    "endpoints without Service": Loop(endpoints_objects.look_without_service),
    "mirroring": Loop(mirroring.look),
    "kubernetes": Loop(kubernetes_service.look),
    "PodDisruptionBudget": Loop(disruption.look),
    "Event": Loop(event_expiry.look),
}
"""By name, in the order in which they run."""


class Loops:
    """`heard`: when each node gave its last sign of life, as far as is known. `on_failure`: what is done with the
    exception that a loop raises about an object; without it, it is raised."""

    def __init__(self, cluster: Cluster, draft: Draft, heard: Mapping[str, float], on_failure: Failure = _raise) -> None:
        """All objects of the draft are marked."""
        self._cluster = cluster
        self._index = Index(cluster)
        self._broadcaster = Broadcaster()
        self._marked: dict[str, dict[Key, None]] = {name: {} for name in LOOPS}
        self._due: list[tuple[float, str, Key]] = []
        self._waiting: dict[Mark, float] = {}
        self._heard = heard
        self._on_failure = on_failure
        self._failures: Counter[Mark] = Counter()
        self._looks: Counter[Mark] = Counter()
        self._postponed: dict[Mark, None] = {}
        self._resting: set[Mark] = set()
        """What is not looked at any more in this run, since it will be woken."""
        # Namespaces and nodes first, since what pods say about each other depends on their labels.
        kinds = sorted(draft.kinds(), key=lambda kind: kind not in ("Namespace", "Node"))
        everything = [(key_of(obj), obj) for kind in kinds for obj in draft.objects(kind)]
        for key, obj in everything:
            self._index.update(key, None, obj)
        for key, obj in everything:
            self._mark(draft, key, None, obj)

    def observe(self, draft: Draft, key: Key, old: Object | None, new: Object | None) -> None:
        """An object was `old` and is `new` now; `draft` has all others as they are."""
        self._index.update(key, old, new)
        self._mark(draft, key, old, new)

    def mark(self, loop: str, key: Key) -> None:
        self._marked[loop][key] = None

    def awaits(self, node: str, now: float) -> bool:
        """Whether a sign of life of this node is news: none was heard before, or it is late."""
        due = self._waiting.get(("Node", ("Node", "", node)))
        return due is None or due <= now

    def is_idle(self, now: float) -> bool:
        """Whether there is nothing to look at."""
        due = self.next_due()
        return not self._postponed and not any(self._marked.values()) and (due is None or due > now)

    def next_due(self) -> float | None:
        """When time alone gives the loops something to do."""
        return min(filter(None, (self.next_look(), self._broadcaster.due())), default=None)

    def next_look(self) -> float | None:
        """When time alone makes the loops look at something."""
        return self._due[0][0] if self._due else None

    def run(self, draft: Draft, now: float, one_turn: bool = False) -> None:
        """Look at what is marked or due, and at what that changes, until nothing is left.

        Once TURN objects were created, whoever makes pods waits until the pods that are there have nodes and addresses;
        with `one_turn`, for the next run, in which everything happens in the same order.
        """
        while self._due and self._due[0][0] <= now:
            at, loop, key = heapq.heappop(self._due)
            if self._waiting.get((loop, key)) == at:
                del self._waiting[loop, key]
                self.mark(loop, key)
        before, draft.listener = draft.listener, lambda key, old, new: self.observe(draft, key, old, new)
        self._looks.clear()
        self._resting.clear()
        self._next_turn()
        self._run_turn(draft, now)
        if not one_turn:
            self._finish(draft, now)
        elif (due := self._broadcaster.due()) is not None and due <= now:
            self._broadcaster.write(draft, AT_ONCE)
            self._run_turn(draft, now)
        draft.listener = before

    def _finish(self, draft: Draft, now: float) -> None:
        while self._postponed:
            self._next_turn()
            self._run_turn(draft, now)
        self._broadcaster.write(draft)
        self._run_turn(draft, now)

    def _next_turn(self) -> None:
        postponed, self._postponed = self._postponed, {}
        for name, key in postponed:
            self.mark(name, key)

    def _run_turn(self, draft: Draft, now: float) -> None:
        full = draft.created + TURN
        while (name := self._first_marked()) is not None:
            context = self._context(draft, name, now)
            marked, self._marked[name] = list(self._marked[name]), {}
            for key in LOOPS[name].order(context, marked):
                if (name, key) in self._resting:
                    continue
                if name in SELECTING_KINDS and draft.created >= full:
                    self._postponed[name, key] = None
                else:
                    self._look(context, name, key)

    def _look(self, context: Context, name: str, key: Key) -> None:
        self._looks[name, key] += 1
        context.draft.save()
        told = len(self._broadcaster)
        try:
            if self._looks[name, key] > MAX_LOOKS:
                raise RuntimeError(f"the loops do not settle: {name} looked at {key} {MAX_LOOKS} times")
            LOOPS[name].look(context, key)
        except Exception as error:
            for undone in context.draft.roll_back():
                self._index.update(*undone)
            self._broadcaster.forget_after(told)
            self._resting.add((name, key))
            delay_s = min(FIRST_RETRY_S * 2.0 ** min(self._failures[name, key], 64), LAST_RETRY_S)
            self._failures[name, key] += 1
            context.wake(context.now + delay_s, key)
            self._on_failure(name, key, error)
        else:
            self._failures.pop((name, key), None)

    def _context(self, draft: Draft, name: str, now: float) -> Context:
        wake = self._waker(name)

        def later(key: Key) -> None:
            self._resting.add((name, key))
            wake(now, key)

        return Context(draft, self._index, self._cluster, self._broadcaster, self._heard, wake, later, now)

    def _first_marked(self) -> str | None:
        return next((name for name in LOOPS if self._marked[name]), None)

    def _waker(self, name: str) -> Callable[[float, Key], None]:
        def wake(at: float, key: Key) -> None:
            if at < self._waiting.get((name, key), float("inf")):
                self._waiting[name, key] = at
                heapq.heappush(self._due, (at, name, key))

        return wake

    def _mark(self, draft: Draft, key: Key, old: Object | None, new: Object | None) -> None:
        for name, marked in marks(self._index, draft, key, old, new):
            self._marked[name][marked] = None

