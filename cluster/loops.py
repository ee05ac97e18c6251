"""The control loops: after a write they run until nothing changes, in a transaction of their own.

`settle` is pure (it reads and writes a draft); `ControlPlane` ties it to the store. What a write leaves to be done
is found out from the objects alone, so a crash between the two loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from cluster import workloads
from cluster.defaults import complete
from cluster.draft import Draft, Key, key_of
from cluster.endpoints import endpoint_slices, is_managed
from cluster.ipam import Allocator, with_condition
from cluster.model import Cluster
from cluster.nodes import initial_objects
from cluster.objects import Object, ready, subject
from cluster.owned import Changes
from cluster.ownership import controller_uid, is_finished
from cluster.problems import Problem, SpecError
from cluster.scheduler import schedule
from cluster.service_ips import allocate
from cluster.store import Store
from cluster.system import system_objects

T = TypeVar("T")

_MAX_ROUNDS = 10
"""CronJob, Job, Pod is the longest chain of owners; more rounds than that mean that two rules disagree."""


def found(draft: Draft, cluster: Cluster, document: Mapping[str, Any], objects: Iterable[Object]) -> None:
    """The first state of a cluster: what exists before the user's objects, and these, which replace it where the
    names are the same."""
    draft.put_all(initial_objects(cluster, document))
    put_given(draft, system_objects(cluster))
    put_given(draft, objects)


def put_given(draft: Draft, objects: Iterable[Object]) -> None:
    """Create or update objects as a user gives them. Raises SpecError for a Cluster: it cannot change."""
    for obj in objects:
        if obj["kind"] == "Cluster":
            message = "the cluster of a running testbed cannot change; start another testbed"
            raise SpecError([Problem("", 0, subject(obj), "", message)])
        completed = complete(obj, None)
        draft.put(complete(obj, draft.get(key_of(completed))))


def settle(draft: Draft, cluster: Cluster, allocator: Allocator) -> None:
    """Run all loops until nothing changes. Raises SpecError when a Service asks for an address it cannot have."""
    draft.put_all(allocate(draft.objects("Service"), cluster.service_subnets))
    _run_workloads(draft)
    _schedule(draft)
    draft.put_all(allocator.allocate(draft.objects("Pod"), cluster))
    _sync_endpoints(draft)


class ControlPlane:
    """All writes to the store, and what the control loops make of them.

    `notify` is called after every write that leaves something to settle; whoever serves requests sets it, and calls
    `settle` once for all writes that came meanwhile.
    """

    def __init__(self, store: Store, cluster: Cluster) -> None:
        self.store = store
        self.cluster = cluster
        self.notify: Callable[[], None] = _nothing
        self._allocator = Allocator()
        self._unsettled = True

    def write(self, change: Callable[[Draft], T]) -> T:
        """One transaction: what `change` does to the draft, and its answer. What it raises, nothing is written."""
        draft = self.store.draft()
        result = change(draft)
        before = self.store.revision
        if self.store.commit(draft) > before:
            self._unsettled = True
            self.notify()
        return result

    def settle(self) -> bool:
        """Let the control loops draw their conclusions, in a transaction of their own. True when there were any."""
        if not self._unsettled:
            return False
        draft = self.store.draft()
        settle(draft, self.cluster, self._allocator)
        before = self.store.revision
        self._unsettled = False
        return self.store.commit(draft) > before

    def next_due(self) -> float | None:
        """When time alone will give the loops something to do (seconds since the epoch); None: never."""
        return None

    def heartbeat(self, nodes: Iterable[str]) -> None:
        """These nodes are alive."""

    def found(self, document: Mapping[str, Any], objects: Iterable[Object]) -> int:
        """Fill an empty store and settle it. Answers the revision, as all of these do."""

        def fill(draft: Draft) -> None:
            found(draft, self.cluster, document, objects)
            draft.put_all(allocate(draft.objects("Service"), self.cluster.service_subnets))

        return self._settled(fill)

    def apply(self, objects: Iterable[Object]) -> int:
        """Create or update all of them, and settle. Raises SpecError, and writes nothing then."""

        def put(draft: Draft) -> None:
            put_given(draft, objects)
            draft.put_all(allocate(draft.objects("Service"), self.cluster.service_subnets))

        return self._settled(put)

    def delete(self, key: Key) -> int | None:
        """None when there is no such object."""
        existed = self.write(lambda draft: draft.delete(key))
        self.settle()
        return self.store.revision if existed else None

    def merge_statuses(self, statuses: Iterable[Mapping[str, Any]]) -> int:
        """`statuses`: kind, namespace, name, uid and status of each; those of objects that are gone are passed over."""
        draft = self.store.draft()
        for entry in statuses:
            key = (str(entry["kind"]), str(entry.get("namespace") or ""), str(entry["name"]))
            before = draft.get(key)
            after = draft.merge_status(key, str(entry["uid"]), entry["status"])
            # What the loops read of a status is whether a pod is ready, or has ended.
            self._unsettled |= key[0] == "Pod" and before is not None and after is not None and _moved(before, after)
        self.store.commit(draft)
        self.settle()
        return self.store.revision

    def _settled(self, change: Callable[[Draft], None]) -> int:
        self.write(change)
        self.settle()
        return self.store.revision


def _nothing() -> None:
    """Nobody is to be notified."""


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return ready(before) != ready(after) or is_finished(before) != is_finished(after)


def _run_workloads(draft: Draft) -> None:
    for _ in range(_MAX_ROUNDS):
        objects = {kind: draft.objects(kind) for kind in workloads.KINDS}
        changes = workloads.desired(objects, draft.objects("Node"), draft.created)
        if not _realise(draft, changes):
            return
    raise RuntimeError(f"the workload loops do not settle: {[subject(obj) for obj in changes.puts]}")


def _realise(draft: Draft, changes: Changes) -> bool:
    """False when there was nothing to do."""
    for obj in changes.deletions:
        draft.delete(key_of(obj))
    # An object of that name that somebody else made is not ours to replace (Kubernetes: AlreadyExists).
    own = [obj for obj in changes.puts if _is_ours(draft.get(key_of(obj)), obj)]
    draft.put_all(own)
    return bool(own or changes.deletions)


def _is_ours(existing: Object | None, obj: Object) -> bool:
    return existing is None or controller_uid(existing) == controller_uid(obj)


def _schedule(draft: Draft) -> None:
    active = [pod for pod in draft.objects("Pod") if not is_finished(pod)]
    unbound = [pod for pod in active if not pod["spec"].get("nodeName")]
    if not unbound:
        return
    bound = [pod for pod in active if pod["spec"].get("nodeName")]
    for placement in schedule(unbound, draft.objects("Node"), bound, draft.objects("Namespace")):
        pod = placement.pod
        if placement.node is None:
            draft.put(with_condition(pod, "False", "Unschedulable", placement.message))
        else:
            draft.put({**pod, "spec": {**pod["spec"], "nodeName": placement.node}})


def _sync_endpoints(draft: Draft) -> None:
    existing: Sequence[Object] = [obj for obj in draft.objects("EndpointSlice") if is_managed(obj)]
    wanted = endpoint_slices(draft.objects("Service"), draft.objects("Pod"), draft.objects("Node"))
    keys = {key_of(obj) for obj in wanted}
    for obj in existing:
        if key_of(obj) not in keys:
            draft.delete(key_of(obj))
    draft.put_all(wanted)
