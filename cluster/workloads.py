"""Deployment, ReplicaSet, DaemonSet … -> pods.

Level-based: each controller compares what an object asks for with what it owns now, and answers the difference.
A Deployment makes ReplicaSets and these make pods, so `desired` is asked again until it has no more changes.
CronJobs are stored only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from cluster import daemonsets, deployments, jobs, replicasets, statefulsets
from cluster.objects import Object, name
from cluster.owned import Changes, NameSource
from cluster.ownership import controller_uid

OWNED_KINDS = ("ReplicaSet", "Job", "Pod", "EndpointSlice")
KINDS = (
    "CronJob",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "Service",
    "Pod",
    "EndpointSlice",
)
"""The kinds that `desired` reads: what makes pods, and what has an owner."""


def desired(objects: Mapping[str, Sequence[Object]], nodes: Sequence[Object], serial: int) -> Changes:
    """What is missing and what is too much.

    `objects` holds all objects of KINDS, oldest first; `serial` counts the objects ever created (see NameSource).
    """
    names = NameSource(serial, {name(pod) for pod in objects.get("Pod", ())})
    orphans = _orphans(objects)
    all_changes = [Changes(deletions=orphans), *_controllers(objects, nodes, names)]
    gone = {obj["metadata"]["uid"] for obj in orphans}
    return Changes(
        puts=[obj for changes in all_changes for obj in changes.puts if controller_uid(obj) not in gone],
        deletions=[obj for changes in all_changes for obj in changes.deletions],
    )


def _controllers(
    objects: Mapping[str, Sequence[Object]], nodes: Sequence[Object], names: NameSource
) -> Iterator[Changes]:
    pods = _by_owner(objects.get("Pod", ()))
    replica_sets = _by_owner(objects.get("ReplicaSet", ()))
    for deployment in objects.get("Deployment", ()):
        yield deployments.changes(deployment, replica_sets[_uid(deployment)])
    for kind in ("ReplicaSet", "ReplicationController"):
        for owner in objects.get(kind, ()):
            yield replicasets.changes(owner, pods[_uid(owner)], names)
    for stateful_set in objects.get("StatefulSet", ()):
        yield statefulsets.changes(stateful_set, pods[_uid(stateful_set)])
    for daemon_set in objects.get("DaemonSet", ()):
        yield daemonsets.changes(daemon_set, pods[_uid(daemon_set)], nodes, names)
    for job in objects.get("Job", ()):
        yield jobs.changes(job, pods[_uid(job)], names)


def _by_owner(objects: Sequence[Object]) -> Mapping[str, Sequence[Object]]:
    owned: dict[str, list[Object]] = defaultdict(list)
    for obj in objects:
        if uid := controller_uid(obj):
            owned[uid].append(obj)
    return owned


def _orphans(objects: Mapping[str, Sequence[Object]]) -> Sequence[Object]:
    """Objects whose owner is gone: what Kubernetes' garbage collector deletes."""
    uids = {_uid(obj) for kind in KINDS for obj in objects.get(kind, ())}
    owned = (obj for kind in OWNED_KINDS for obj in objects.get(kind, ()))
    return [obj for obj in owned if (owner := controller_uid(obj)) and owner not in uids]


def _uid(obj: Object) -> str:
    return str(obj["metadata"]["uid"])
