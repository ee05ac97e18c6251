"""Garbage collection by ownerReferences: dependents of what is gone, and the finalizers that wait for them.

As pkg/controller/garbagecollector, without its graph: the index knows who owns what.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster import deletion
from cluster.context import Context
from cluster.controllers.adoption import without_owner
from cluster.deletion import FOREGROUND, JOB_TRACKING, ORPHAN, DeleteOptions, is_deleting
from cluster.draft import Key, key_of
from cluster.objects import Object
from cluster.ownership import controller_reference


def look(context: Context, key: Key) -> None:
    obj = context.get(key)
    if obj is None:
        return
    if is_deleting(obj):
        _let_go(context, obj)
        return
    references = obj["metadata"].get("ownerReferences") or ()
    owners = [(entry, _owner(context, key, entry)) for entry in references]
    absent = [entry for entry, owner in owners if owner is None]
    waiting = [entry for entry, owner in owners if owner is not None and _waits(owner)]
    if not absent and not waiting:
        return
    if len(absent) + len(waiting) < len(owners):
        # Somebody else still owns it: only the references to what is gone, or waits to go, are removed.
        for entry in (*absent, *waiting):
            obj = context.draft.put(without_owner(obj, entry["uid"]))
        return
    propagation: deletion.Propagation = "Foreground" if waiting and _has_dependents(context, obj) else "Background"
    deletion.delete(context.draft, key, DeleteOptions(propagation=propagation))


def _let_go(context: Context, obj: Object) -> None:
    """Remove what nothing holds any more, and the finalizers that are the collector's own."""
    held = obj["metadata"].get("finalizers") or ()
    dependents = context.get_all(context.index.owned(obj["metadata"]["uid"]))
    if ORPHAN in held:
        for dependent in dependents:
            context.draft.put(without_owner(dependent, obj["metadata"]["uid"]))
        deletion.release(context.draft, obj, ORPHAN)
    elif FOREGROUND in held:
        for dependent in dependents:
            if not is_deleting(dependent):
                look(context, key_of(dependent))
        if not any(_blocks(dependent, obj) for dependent in context.get_all(context.index.owned(obj["metadata"]["uid"]))):
            deletion.release(context.draft, obj, FOREGROUND)
    elif JOB_TRACKING in held and _is_left_by_its_job(context, obj):
        deletion.release(context.draft, obj, JOB_TRACKING)
    else:
        deletion.finish(context.draft, obj)


def _is_left_by_its_job(context: Context, pod: Mapping[str, Any]) -> bool:
    """Whether nobody counts this pod any more (job_controller.go, syncOrphanPod)."""
    entry = controller_reference(pod)
    owner = None if entry is None else _owner(context, key_of(pod), entry)
    return owner is None or is_deleting(owner)


def _owner(context: Context, key: Key, entry: Mapping[str, Any]) -> Object | None:
    """None when it is gone; a namespaced owner is looked for in the namespace of its dependent only."""
    owner_key = context.index.key_of_uid.get(entry["uid"])
    if owner_key is None or owner_key[1] not in ("", key[1]):
        return None
    return context.get(owner_key)


def _waits(owner: Mapping[str, Any]) -> bool:
    return is_deleting(owner) and FOREGROUND in (owner["metadata"].get("finalizers") or ())


def _has_dependents(context: Context, obj: Mapping[str, Any]) -> bool:
    return bool(context.index.owned(obj["metadata"]["uid"]))


def _blocks(dependent: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """ "If true, AND if the owner has the "foregroundDeletion" finalizer, then the owner cannot be deleted"."""
    return any(
        entry["uid"] == owner["metadata"]["uid"] and entry.get("blockOwnerDeletion")
        for entry in dependent["metadata"].get("ownerReferences") or ()
    )
