"""Who made an object: `metadata.ownerReferences`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.objects import Object


def reference(owner: Mapping[str, Any]) -> Object:
    """The ownerReference that a controller puts on what it makes."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_uid(obj: Mapping[str, Any]) -> str | None:
    """The uid of the owner that manages this object; None when nobody does."""
    for entry in obj["metadata"].get("ownerReferences") or ():
        if entry.get("controller"):
            return str(entry["uid"])
    return None


def controller_reference(obj: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The ownerReference of the owner that manages this object."""
    return next((entry for entry in obj["metadata"].get("ownerReferences") or () if entry.get("controller")), None)


def owner_uids(obj: Mapping[str, Any]) -> tuple[str, ...]:
    """The uids of all owners."""
    return tuple(str(entry["uid"]) for entry in obj["metadata"].get("ownerReferences") or ())


def is_finished(pod: Mapping[str, Any]) -> bool:
    """A pod that has ended for good: it needs no node, no address, no endpoint any more."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
