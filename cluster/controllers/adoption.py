"""Which pods (or ReplicaSets) are a controller's: those that it owns and still selects, and orphans that it selects.

As controller_ref_manager.go: what no longer matches is let go of, what matches and has no owner is taken on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.context import Context
from cluster.deletion import is_deleting
from cluster.index import selects
from cluster.objects import Object, namespace
from cluster.ownership import controller_uid, is_finished, reference


def claim_pods(context: Context, owner: Object) -> list[Object]:
    """The owner's pods, oldest first, finished ones too."""
    mine = [_kept(context, owner, pod) for pod in context.owned(owner, "Pod")]
    claimed = [pod for pod in mine if pod is not None]
    if not is_deleting(owner):
        for pod in context.get_all(context.index.orphans(namespace(owner))):
            if selects(owner, pod) and not is_deleting(pod) and not is_finished(pod):
                claimed.append(context.draft.put(_adopted(owner, pod)))
    return claimed


def claim_replica_sets(context: Context, deployment: Object) -> list[Object]:
    """The Deployment's ReplicaSets, oldest first."""
    mine = [_kept(context, deployment, rs) for rs in context.owned(deployment, "ReplicaSet")]
    claimed = [rs for rs in mine if rs is not None]
    if not is_deleting(deployment):
        for rs in context.get_all(context.index.in_namespace(namespace(deployment), "ReplicaSet")):
            if controller_uid(rs) is None and selects(deployment, rs) and not is_deleting(rs):
                claimed.append(context.draft.put(_adopted(deployment, rs)))
    return claimed


def is_active(pod: Mapping[str, Any]) -> bool:
    """Neither finished nor about to go (controller_utils.go, IsPodActive)."""
    return not is_finished(pod) and not is_deleting(pod)


def _kept(context: Context, owner: Object, obj: Object) -> Object | None:
    """None for what it does not own as its controller, or let go of just now."""
    if controller_uid(obj) != owner["metadata"]["uid"]:
        return None
    if selects(owner, obj) or is_deleting(owner) or not owner["spec"].get("selector"):
        return obj
    if not is_deleting(obj):
        context.draft.put(without_owner(obj, owner["metadata"]["uid"]))
    return None


def without_owner(obj: Object, uid: str) -> Object:
    """The object without its reference to this owner."""
    left = [entry for entry in obj["metadata"].get("ownerReferences") or () if entry["uid"] != uid]
    metadata = {field: value for field, value in obj["metadata"].items() if field != "ownerReferences"}
    if left:
        metadata["ownerReferences"] = left
    return {**obj, "metadata": metadata}


def _adopted(owner: Object, obj: Object) -> Object:
    references = [*(obj["metadata"].get("ownerReferences") or ()), reference(owner)]
    return {**obj, "metadata": {**obj["metadata"], "ownerReferences": references}}
