"""How an object goes: at once, after its grace period, or when the last finalizer has let go of it.

A Pod that runs is told to end by `metadata.deletionTimestamp` and removed when the node agent says that it has
(`ended`). Finalizers hold any object. What its dependents are to do is a finalizer too, as in Kubernetes:
`foregroundDeletion` waits for them, `orphan` has the garbage collector (`collector.py`) let go of them first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cluster.draft import Draft, Key
from cluster.objects import Object
from cluster.ownership import is_finished
from cluster.times import seconds, timestamp

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
JOB_TRACKING = "batch.kubernetes.io/job-tracking"
NAMESPACE_FINALIZER = "kubernetes"
DEFAULT_GRACE_S = 30

Propagation = Literal["Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """What of metav1.DeleteOptions decides how an object goes; preconditions are the caller's to check."""

    grace_period_s: int | None = None
    propagation: Propagation | None = None


def delete(draft: Draft, key: Key, options: DeleteOptions = DeleteOptions()) -> Object | None:
    """Delete an object, or begin to. The object as it is from now on, or was last; None when there is none.

    A second deletion may shorten the grace period, never lengthen it.
    """
    obj = draft.get(key)
    if obj is None:
        return None
    finalizers = _finalizers(obj, options.propagation)
    grace_s = _grace_s(obj, options.grace_period_s)
    if is_deleting(obj):
        left_s = obj["metadata"].get("deletionGracePeriodSeconds", 0)
        grace_s = min(grace_s, left_s)
        if grace_s == left_s and finalizers == _held_by(obj):
            return obj
    if grace_s == 0 and not finalizers and not _awaits_content(obj):
        draft.delete(key)
        return obj
    return draft.put(_deleting(obj, draft.now, grace_s, finalizers))


def ended(draft: Draft, key: Key, uid: str) -> None:
    """A terminating Pod has ended on its node: remove it, or leave it to its finalizers. Another uid: nothing."""
    pod = draft.get(key)
    if pod is not None and pod["metadata"]["uid"] == uid and is_deleting(pod):
        delete(draft, key, DeleteOptions(grace_period_s=0))


def ended_all(draft: Draft, pods: Iterable[Mapping[str, Any]]) -> None:
    """`ended` for each of {"namespace", "name", "uid"}."""
    for pod in pods:
        ended(draft, ("Pod", str(pod["namespace"]), str(pod["name"])), str(pod["uid"]))


def is_deleting(obj: Mapping[str, Any]) -> bool:
    return obj["metadata"].get("deletionTimestamp") is not None


def may_go(obj: Mapping[str, Any]) -> bool:
    """Whether nothing holds an object any more that is being deleted."""
    waits = bool(obj["metadata"].get("deletionGracePeriodSeconds")) or _awaits_content(obj)
    return is_deleting(obj) and not waits and not _held_by(obj)


def release(draft: Draft, obj: Object, finalizer: str) -> None:
    """Take one finalizer off an object; it goes, if that was the last thing to hold it."""
    left = [held for held in _held_by(obj) if held != finalizer]
    metadata = {field: value for field, value in obj["metadata"].items() if field != "finalizers"}
    if left:
        metadata["finalizers"] = left
    finish(draft, draft.put({**obj, "metadata": metadata}))


def finish(draft: Draft, obj: Object) -> None:
    """Remove an object whose deletion waits for nothing any more, for instance since its finalizers were patched."""
    if may_go(obj):
        draft.delete((str(obj["kind"]), str(obj["metadata"].get("namespace", "")), str(obj["metadata"]["name"])))


def _held_by(obj: Mapping[str, Any]) -> list[str]:
    return list(obj["metadata"].get("finalizers") or ())


def _finalizers(obj: Mapping[str, Any], propagation: Propagation | None) -> list[str]:
    """With the one that the propagation policy asks for. Without a policy, a finalizer of an earlier request stays."""
    held = _held_by(obj)
    if propagation is None:
        # "ReplicationController … orphans by default" (pkg/registry/core/replicationcontroller/strategy.go).
        if obj["kind"] != "ReplicationController" or FOREGROUND in held or is_deleting(obj):
            return held
        propagation = "Orphan"
    others = [finalizer for finalizer in held if finalizer not in (FOREGROUND, ORPHAN)]
    wanted = {"Background": [], "Foreground": [FOREGROUND], "Orphan": [ORPHAN]}[propagation]
    return others + wanted


def _grace_s(obj: Mapping[str, Any], asked_s: int | None) -> int:
    """As the pod strategy's CheckGracefulDelete; other kinds have no grace period."""
    if obj["kind"] != "Pod" or not obj["spec"].get("nodeName") or is_finished(obj):
        return 0
    own_s: int | None = obj["spec"].get("terminationGracePeriodSeconds")
    if asked_s is None:
        asked_s = DEFAULT_GRACE_S if own_s is None else own_s
    return 1 if asked_s < 0 else asked_s


def _awaits_content(obj: Mapping[str, Any]) -> bool:
    """A Namespace has a finalizer in its spec, which stands for what is in it."""
    return obj["kind"] == "Namespace" and bool((obj.get("spec") or {}).get("finalizers"))


def _deleting(obj: Object, now: str, grace_s: int, finalizers: list[str]) -> Object:
    """The deletion timestamp is when the grace period will be over."""
    began = seconds(now)
    if is_deleting(obj):
        began = seconds(obj["metadata"]["deletionTimestamp"]) - obj["metadata"].get("deletionGracePeriodSeconds", 0)
    metadata = {
        **obj["metadata"],
        "deletionTimestamp": timestamp(began + grace_s),
        "deletionGracePeriodSeconds": grace_s,
    }
    metadata.pop("finalizers", None)
    if finalizers:
        metadata["finalizers"] = finalizers
    return {**obj, "metadata": metadata}
