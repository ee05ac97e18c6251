"""The status of a Deployment: its counts, and its conditions Available and Progressing (progress.go, sync.go)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster import conditions
from cluster.conditions import Verdict
from cluster.context import Context
from cluster.controllers.rollouts import available, bounds, size
from cluster.draft import Key
from cluster.objects import Object, name
from cluster.times import seconds

AVAILABLE, PROGRESSING = "Available", "Progressing"
COMPLETE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
_NO_DEADLINE = 2**31 - 1
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"


def write(context: Context, key: Key, new: Object | None, old: Sequence[Object]) -> None:
    """Compare what the ReplicaSets report with what is asked for."""
    deployment = context.get(key)
    if deployment is None:
        return
    status = _counts(deployment, new, old)
    entries = conditions.merged(
        (deployment.get("status") or {}).get("conditions") or (), _availability(context, deployment, status)
    )
    progress = _progress(context, key, deployment, status, new)
    if progress is not None:
        entries = conditions.merged(entries, progress, refresh=True)
    context.update_status(deployment, {**status, "conditions": list(entries)})


def is_complete(deployment: Mapping[str, Any], new: Object | None, old: Sequence[Object]) -> bool:
    """All replicas are of the newest version and available, and no others are left."""
    return _is_complete(deployment, _counts(deployment, new, old))


def note_pause(context: Context, deployment: Object) -> Object:
    """Say in the Progressing condition that a rollout was paused, or goes on."""
    entry = conditions.find(deployment, PROGRESSING)
    reason = None if entry is None else entry["reason"]
    paused = bool(deployment["spec"].get("paused"))
    if not _has_deadline(deployment) or reason == TIMED_OUT:
        return deployment
    if paused and reason != PAUSED:
        return _noted(context, deployment, "Unknown", PAUSED, "Deployment is paused")
    if not paused and reason == PAUSED:
        return _noted(context, deployment, "Unknown", RESUMED, "Deployment is resumed")
    return deployment


def note_created(context: Context, deployment: Object, made: Object, collisions: int) -> None:
    status = deployment.get("status") or {}
    if collisions != status.get("collisionCount", 0):
        deployment = context.update_status(deployment, {**status, "collisionCount": collisions})
    if _has_deadline(deployment):
        _noted(context, deployment, "True", "NewReplicaSetCreated", f'Created new replica set "{name(made)}"')


def note_found(context: Context, key: Key, found: Object) -> None:
    deployment = context.get(key)
    if deployment is not None and _has_deadline(deployment) and conditions.find(deployment, PROGRESSING) is None:
        _noted(context, deployment, "True", "FoundNewReplicaSet", f'Found new replica set "{name(found)}"')


def _counts(deployment: Mapping[str, Any], new: Object | None, old: Sequence[Object]) -> Object:
    everything = [*old, *([new] if new else [])]
    ready_now = sum(map(available, everything))
    counts = {
        "replicas": _reported(everything, "replicas"),
        "updatedReplicas": _reported([new] if new else [], "replicas"),
        "readyReplicas": _reported(everything, "readyReplicas"),
        "availableReplicas": ready_now,
        "unavailableReplicas": max(0, sum(map(size, everything)) - ready_now),
        "collisionCount": (deployment.get("status") or {}).get("collisionCount", 0),
    }
    # "omitempty": a count of zero is not written.
    present = {field: count for field, count in counts.items() if count}
    return {"observedGeneration": deployment["metadata"].get("generation", 1), **present}


def _reported(replica_sets: Sequence[Object], field: str) -> int:
    return sum(int(rs.get("status", {}).get(field, 0)) for rs in replica_sets)


def _availability(context: Context, deployment: Object, status: Mapping[str, Any]) -> Object:
    least = deployment["spec"]["replicas"] - bounds(deployment).unavailable
    if status.get("availableReplicas", 0) >= least:
        return _entry(context, AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    message = "Deployment does not have minimum availability."
    return _entry(context, AVAILABLE, "False", "MinimumReplicasUnavailable", message)


def _progress(
    context: Context, key: Key, deployment: Object, status: Mapping[str, Any], new: Object | None
) -> Object | None:
    """The Progressing condition as it has become; None leaves it as it is (progress.go, syncRolloutStatus)."""
    before = conditions.find(deployment, PROGRESSING)
    if not _has_deadline(deployment):
        return None
    done = before is not None and before["reason"] == COMPLETE
    if done and status.get("replicas", 0) == status.get("updatedReplicas", 0):
        return None
    what = f'ReplicaSet "{name(new)}"' if new else f'Deployment "{name(deployment)}"'
    if _is_complete(deployment, status):
        return _entry(context, PROGRESSING, "True", COMPLETE, f"{what} has successfully progressed.")
    if _moved(deployment.get("status") or {}, status):
        # Said again with a new time: the deadline counts from the last progress.
        return _entry(context, PROGRESSING, "True", "ReplicaSetUpdated", f"{what} is progressing.")
    if before is None or before["reason"] in (COMPLETE, TIMED_OUT, PAUSED) or deployment["spec"].get("paused"):
        return None
    deadline = seconds(before["lastUpdateTime"]) + deployment["spec"]["progressDeadlineSeconds"]
    if context.now < deadline:
        context.wake(deadline, key)
        return None
    return _entry(context, PROGRESSING, "False", TIMED_OUT, f"{what} has timed out progressing.")


def _is_complete(deployment: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    wanted: int = deployment["spec"]["replicas"]
    counts = ("updatedReplicas", "replicas", "availableReplicas")
    return all(int(status.get(field, 0)) == wanted for field in counts)


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """More new pods, fewer old ones, more ready or available ones than before."""

    def old(status: Mapping[str, Any]) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    more = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old(after) < old(before) or any(after.get(field, 0) > before.get(field, 0) for field in more)


def _has_deadline(deployment: Mapping[str, Any]) -> bool:
    """ "progressDeadlineSeconds … math.MaxInt32 means no deadline"."""
    return int(deployment["spec"].get("progressDeadlineSeconds", _NO_DEADLINE)) != _NO_DEADLINE


def _noted(context: Context, deployment: Object, verdict: Verdict, reason: str, message: str) -> Object:
    status = deployment.get("status") or {}
    entries = conditions.merged(status.get("conditions") or (), _entry(context, PROGRESSING, verdict, reason, message))
    return context.update_status(deployment, {**status, "conditions": list(entries)})


def _entry(context: Context, type: str, verdict: Verdict, reason: str, message: str) -> Object:
    now = context.draft.now
    return conditions.condition(type, verdict, reason, message, now, lastUpdateTime=now)
