"""The loops and what they have to look at: marks, and times at which to look again.

`Loops` is told of every change (`observe`); `run` lets the loops look at what is marked until nothing is. The order of
the loops follows the way that things take: from owners to pods, to nodes, to addresses, to endpoints.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from cluster import (
    collector,
    cronjobs,
    daemonsets,
    deployments,
    disruption,
    endpoints_objects,
    event_expiry,
    jobs,
    kubernetes_service,
    mirroring,
    namespaces,
    node_lifecycle,
    placing,
    replicasets,
    service_slices,
    services,
    statefulsets,
)  # fmt: skip
from cluster.context import Context
from cluster.draft import Draft, Key, key_of
from cluster.index import Index
from cluster.marks import marks
from cluster.model import Cluster
from cluster.objects import Object

Loop = Callable[[Context, Sequence[Key]], None]

MAX_LOOKS = 1000
"""At one object, by one loop, in one run; more mean that two loops undo each other's work."""


def _each(look: Callable[[Context, Key], None]) -> Loop:
    """A loop that looks at one object at a time."""

    def loop(context: Context, keys: Sequence[Key]) -> None:
        for key in keys:
            look(context, key)

    return loop


LOOPS: Mapping[str, Loop] = {
    "Namespace": _each(namespaces.look),
    "collector": _each(collector.look),
    "Node": _each(node_lifecycle.look),
    "evictions": _each(node_lifecycle.evict),
    "CronJob": _each(cronjobs.look),
    "Job": _each(jobs.look),
    "ReplicaSet": _each(replicasets.look),
    "ReplicationController": _each(replicasets.look),
    "Deployment": _each(deployments.look),
    "StatefulSet": _each(statefulsets.look),
    "DaemonSet": _each(daemonsets.look),
    "Service": services.look_at_all,
    "scheduler": placing.bind,
    "addresses": placing.address,
    "endpointslices": _each(service_slices.look),
    "endpoints": _each(endpoints_objects.look),
    "mirroring": _each(mirroring.look),
    "kubernetes": _each(kubernetes_service.look),
    "PodDisruptionBudget": _each(disruption.look),
    "Event": _each(event_expiry.look),
}
"""By name, in the order in which they run."""


class Loops:
    """`heard`: when each node gave its last sign of life, as far as is known."""

    def __init__(self, cluster: Cluster, draft: Draft, heard: Mapping[str, float]) -> None:
        """All objects of the draft are marked."""
        self._cluster = cluster
        self._index = Index(cluster)
        self._marked: dict[str, dict[Key, None]] = {name: {} for name in LOOPS}
        self._due: list[tuple[float, str, Key]] = []
        self._waiting: dict[tuple[str, Key], float] = {}
        self._heard = heard
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
        return not any(self._marked.values()) and not (self._due and self._due[0][0] <= now)

    def next_due(self) -> float | None:
        """When time alone gives the loops something to do."""
        return self._due[0][0] if self._due else None

    def run(self, draft: Draft, now: float) -> None:
        """Look at what is marked or due, and at what that changes, until nothing is left."""
        while self._due and self._due[0][0] <= now:
            at, loop, key = heapq.heappop(self._due)
            if self._waiting.get((loop, key)) == at:
                del self._waiting[loop, key]
                self.mark(loop, key)
        before, draft.listener = draft.listener, lambda key, old, new: self.observe(draft, key, old, new)
        looks: Counter[tuple[str, Key]] = Counter()
        while (name := self._first_marked()) is not None:
            keys = list(self._marked[name])
            self._marked[name].clear()
            looks.update((name, key) for key in keys)
            if looks[name, keys[0]] > MAX_LOOKS:
                raise RuntimeError(f"the loops do not settle: {name} looked at {keys[0]} {MAX_LOOKS} times")
            context = Context(draft, self._index, self._cluster, self._heard, self._waker(name), now)
            LOOPS[name](context, keys)
        draft.listener = before

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

