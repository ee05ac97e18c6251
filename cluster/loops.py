"""The control loops: after a write they run until nothing changes, in a transaction of their own.

The loops are pure: they read and write a draft. `ControlPlane` ties them to the store: a write marks what it concerns,
`settle` looks at what is marked. What is to be done follows from the objects alone, so a crash between the two loses
nothing: after a restart everything is marked once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from cluster import deletion
from cluster.admission import admit_ingress, admit_pod
from cluster.controllers.node_lifecycle import LEASE_NAMESPACE
from cluster.defaults import complete
from cluster.draft import Draft, Key, key_of
from cluster.loop_queue import Loops
from cluster.machine import this_machine
from cluster.model import Cluster
from cluster.nodes import initial_objects
from cluster.objects import Object, name, namespace, subject
from cluster.problems import Problem, SpecError
from cluster.service_ips import allocate
from cluster.store import Store
from cluster.system import system_objects

T = TypeVar("T")

_log = logging.getLogger(__name__)

RESTART_GRACE_S = 5.0
"""How long nodes have to be heard again after a restart of the server."""

MAX_LATENESS_S = 0.25
"""Later than that, and a look at the clock says more about this process than about the nodes."""


def found(draft: Draft, cluster: Cluster, document: Mapping[str, Any], objects: Iterable[Object]) -> None:
    """The first state of a cluster: what exists before the user's objects, and these, which replace it where the
    names are the same. Raises SpecError, also when a Service asks for an address it cannot have."""
    given = list(objects)
    draft.put_all(initial_objects(cluster, document, this_machine()))
    put_given(draft, system_objects(cluster, given), cluster)
    put_given(draft, given, cluster)
    draft.put_all(allocate(draft.objects("Service"), cluster.service_subnets))


def put_given(draft: Draft, objects: Iterable[Object], cluster: Cluster) -> None:
    """Create or update objects as a user gives them, IngressClasses before Ingresses that may get one of them. Raises
    SpecError for a Cluster: it cannot change."""
    for obj in sorted(objects, key=lambda each: each["kind"] != "IngressClass"):
        if obj["kind"] == "Cluster":
            message = "the cluster of a running testbed cannot change; start another testbed"
            raise SpecError([Problem("", 0, subject(obj), "", message)])
        completed = complete(obj, None)
        stored = draft.get(key_of(completed))
        completed = complete(obj, stored)
        if obj["kind"] == "Pod":
            completed = admit_pod(completed, cluster)
        elif obj["kind"] == "Ingress" and stored is None:
            completed = admit_ingress(completed, draft.objects("IngressClass"))
        draft.put(completed)


class ControlPlane:
    """All writes to the store, and what the control loops make of them.

    `notify` is called after every write that leaves something to settle; whoever serves requests sets it, and calls
    `settle` once for all writes that came meanwhile.
    """

    def __init__(self, store: Store, cluster: Cluster, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self.cluster = cluster
        self.notify: Callable[[], None] = _nothing
        self._clock = clock
        leases = [lease for lease in store.list(["Lease"]) if namespace(lease) == LEASE_NAMESPACE]
        # Nobody could say anything while there was no server.
        self._heard = {name(lease): clock() + RESTART_GRACE_S for lease in leases}
        self._loops = self._fresh_loops()

    def write(self, change: Callable[[Draft], T]) -> T:
        """One transaction: what `change` does to the draft, and its answer. What it raises, nothing is written."""
        draft = self.store.draft()
        result = change(draft)
        written = list(draft.touched())
        self.store.commit(draft)
        for key, old, new in written:
            self._loops.observe(draft, key, old, new)
        if written:
            self.notify()
        return result

    def settle(self, one_turn: bool = False) -> bool:
        """Let the control loops draw their conclusions, in a transaction of their own. True when there were any.

        `one_turn`: there may be more to do at once (`Loops.run`).
        """
        now = self._clock()
        if self._loops.is_idle(now):
            return False
        self._forgive(now)
        draft = self.store.draft()
        before = self.store.revision
        try:
            self._loops.run(draft, now, one_turn)
            return self.store.commit(draft) > before
        except BaseException:
            # What the loops know is of a state that was never written.
            self._loops = self._fresh_loops()
            raise

    def is_behind(self) -> bool:
        """Whether there is something that the loops have to look at now."""
        return not self._loops.is_idle(self._clock())

    def next_due(self) -> float | None:
        """When time alone will give the loops something to do (seconds since the epoch); None: never."""
        return self._loops.next_due()

    def heartbeat(self, nodes: Iterable[str]) -> None:
        """These nodes are alive."""
        now = self._clock()
        for node in nodes:
            self._heard[node] = now
            if self._loops.awaits(node, now):
                self._loops.mark("Node", ("Node", "", node))
                self.notify()

    def _forgive(self, now: float) -> None:
        """While this process was busy it heard nobody: what is late now may only have been heard late."""
        due = self._loops.next_look()
        if due is not None and now - due > MAX_LATENESS_S:
            self._heard.update((node, max(heard, now - self.cluster.node_grace_s / 2)) for node, heard in self._heard.items())

    def _fresh_loops(self) -> Loops:
        return Loops(self.cluster, self.store.draft(), self._heard, _log_failure)

    def found(self, document: Mapping[str, Any], objects: Iterable[Object]) -> int:
        """Fill an empty store. Answers the revision, as all of these do."""
        self.write(lambda draft: found(draft, self.cluster, document, objects))
        return self.store.revision

    def apply(self, objects: Iterable[Object]) -> int:
        """Create or update all of them, and settle. Raises SpecError, and writes nothing then."""

        def put(draft: Draft) -> None:
            put_given(draft, objects, self.cluster)
            draft.put_all(allocate(draft.objects("Service"), self.cluster.service_subnets))

        return self._settled(put)

    def delete(self, key: Key) -> int | None:
        """As Kubernetes does it, with the object's own grace period. None when there is no such object."""
        existed = self.write(lambda draft: deletion.delete(draft, key))
        self.settle()
        return None if existed is None else self.store.revision

    def merge_statuses(self, statuses: Iterable[Mapping[str, Any]]) -> int:
        """`statuses`: kind, namespace, name, uid and status of each; those of objects that are gone are passed over."""

        def merge(draft: Draft) -> None:
            for entry in statuses:
                key = (str(entry["kind"]), str(entry.get("namespace") or ""), str(entry["name"]))
                draft.merge_status(key, str(entry["uid"]), entry["status"])

        return self._settled(merge)

    def _settled(self, change: Callable[[Draft], None]) -> int:
        self.write(change)
        self.settle()
        return self.store.revision


def _log_failure(loop: str, key: Key, error: Exception) -> None:
    """A bug, but only of this loop with this object: the others go on."""
    kind, space, its_name = key
    _log.error("%s: %s %s/%s failed, will be tried again", loop, kind, space, its_name, exc_info=error)


def _nothing() -> None:
    """Nobody is to be notified."""
