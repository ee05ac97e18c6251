"""The control loops: after every write they run until nothing changes, in the same transaction as the write.

`settle` is pure (it reads and writes a draft); `ControlPlane` ties it to the store. Whoever watches the store
therefore sees a Deployment and its bound, addressed pods at once, and a crash leaves neither half.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

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
    """All writes to the store. Each is one transaction together with what the loops make of it."""

    def __init__(self, store: Store, cluster: Cluster) -> None:
        self.store = store
        self.cluster = cluster
        self._allocator = Allocator()

    def found(self, document: Mapping[str, Any], objects: Iterable[Object]) -> int:
        """Fill an empty store. Answers the revision, as all of these do."""
        draft = self.store.draft()
        found(draft, self.cluster, document, objects)
        return self._commit(draft)

    def apply(self, objects: Iterable[Object]) -> int:
        draft = self.store.draft()
        put_given(draft, objects)
        return self._commit(draft)

    def delete(self, key: Key) -> int | None:
        """None when there is no such object."""
        draft = self.store.draft()
        return self._commit(draft) if draft.delete(key) else None

    def merge_statuses(self, statuses: Iterable[Mapping[str, Any]]) -> int:
        """`statuses`: kind, namespace, name, uid and status of each; those of objects that are gone are passed over."""
        draft = self.store.draft()
        moved = False
        for entry in statuses:
            key = (str(entry["kind"]), str(entry.get("namespace") or ""), str(entry["name"]))
            before = draft.get(key)
            after = draft.merge_status(key, str(entry["uid"]), entry["status"])
            moved |= key[0] == "Pod" and before is not None and after is not None and _moved(before, after)
        # What the loops read of a status is whether a pod is ready, or has ended.
        return self._commit(draft) if moved else self.store.commit(draft)

    def _commit(self, draft: Draft) -> int:
        settle(draft, self.cluster, self._allocator)
        return self.store.commit(draft)


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
