"""Conditions in a status: one per type, with the time of its last change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from cluster.objects import Object

Verdict = Literal["True", "False", "Unknown"]


def find(obj: Mapping[str, Any], type: str) -> Mapping[str, Any] | None:
    """The condition of this type in an object's status."""
    entries = (obj.get("status") or {}).get("conditions") or ()
    return next((entry for entry in entries if entry["type"] == type), None)


def is_true(obj: Mapping[str, Any], type: str) -> bool:
    entry = find(obj, type)
    return entry is not None and entry["status"] == "True"


def condition(type: str, status: Verdict, reason: str, message: str, now: str, **more: str) -> Object:
    """A condition that became so just now; `more`: other fields, such as lastUpdateTime."""
    return {"type": type, "status": status, **more, "lastTransitionTime": now, "reason": reason, "message": message}


def merged(entries: Iterable[Mapping[str, Any]], new: Object, refresh: bool = False) -> Sequence[Object]:
    """The conditions with this one in its place, or at the end.

    While its status stays, so does the time of its last transition; if nothing but times changes, all of it stays,
    unless `refresh` says that the time of the update is what matters.
    """
    result = [dict(entry) for entry in entries]
    for place, old in enumerate(result):
        if old["type"] != new["type"]:
            continue
        if old["status"] == new["status"]:
            new = {**new, "lastTransitionTime": old.get("lastTransitionTime", new["lastTransitionTime"])}
            if not refresh and all(old.get(field) == new.get(field) for field in ("reason", "message")):
                new = old
        result[place] = new
        return result
    return [*result, new]
