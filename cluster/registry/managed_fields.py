"""Who set which field: metadata.managedFields (sigs.k8s.io/structured-merge-diff, merge/update.go; apimachinery/managedfields).

Every writer through the API is a manager: what it applies is its whole intent (operation Apply), what it creates, updates
or patches is added to what it had set before (operation Update).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from cluster.objects import Object
from cluster.registry.field_sets import FieldSet, from_fields_v1, leaves, to_fields_v1
from cluster.registry.types import Type

Operation = Literal["Apply", "Update"]

MAX_UPDATE_MANAGERS = 10
_ANCIENT = "ancient-changes"
_UNMANAGED = frozenset((
    ("f:apiVersion",), ("f:kind",), ("f:metadata",),
    *(("f:metadata", f"f:{name}") for name in (
        "name", "namespace", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "uid",
        "generation", "resourceVersion",
    )),
))  # fmt: skip
"""Fields that nobody owns (stripmeta.go)."""


@dataclass(frozen=True, slots=True)
class Manager:
    """One entry. `identity` is all but the fields and the time."""

    name: str
    operation: Operation
    api_version: str
    subresource: str
    fields: FieldSet
    time: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        # An applier has one entry whatever the version.
        version = "" if self.operation == "Apply" else self.api_version
        return self.name, self.operation, version, self.subresource

    def to_json(self) -> Object:
        subresource = {"subresource": self.subresource} if self.subresource else {}
        return {
            "apiVersion": self.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": to_fields_v1(self.fields),
            "manager": self.name,
            "operation": self.operation,
            **subresource,
            **({"time": self.time} if self.time else {}),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two states of an object."""

    changed: FieldSet
    removed: FieldSet

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


def read(obj: Mapping[str, Any]) -> list[Manager]:
    entries = obj["metadata"].get("managedFields") or ()
    return [
        Manager(
            entry.get("manager", ""),
            entry.get("operation", "Update"),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
            from_fields_v1(entry.get("fieldsV1")),
            entry.get("time", ""),
        )
        for entry in entries
        if entry
    ]


def write(obj: Object, managers: Iterable[Manager]) -> Object:
    """The object with these managers, in Kubernetes' order: appliers first, then by time and name."""
    listed = sorted(
        (manager for manager in managers if manager.fields),
        key=lambda one: (one.operation != "Apply", one.time, one.name, one.api_version, one.subresource),
    )
    metadata = {field: value for field, value in obj["metadata"].items() if field != "managedFields"}
    if listed:
        metadata["managedFields"] = [manager.to_json() for manager in listed]
    return {**obj, "metadata": metadata}


def owned_leaves(obj: Mapping[str, Any], of: Type) -> dict[tuple[str, ...], Any]:
    """The fields that somebody can own, with their values."""
    metadata = {field: value for field, value in obj["metadata"].items() if field != "managedFields"}
    found = leaves({**obj, "metadata": metadata}, of)
    return {path: value for path, value in found.items() if path not in _UNMANAGED}


def compare(old: Mapping[str, Any] | None, new: Mapping[str, Any], of: Type) -> Comparison:
    after = owned_leaves(new, of)
    if old is None:
        return Comparison(frozenset(after), frozenset())
    before = owned_leaves(old, of)
    changed = (path for path, value in after.items() if path not in before or before[path] != value)
    return Comparison(frozenset(changed), frozenset(before.keys() - after.keys()))


def after_update(
    old: Object | None, new: Object, of: Type, manager: str, api_version: str, subresource: str, now: str
) -> Object:
    """`new` with the managers of `old`: what changed belongs to `manager` alone, what is gone to nobody."""
    given = new["metadata"].get("managedFields")
    # A writer may set the list itself; one empty entry clears it ("[{}]").
    managers = read(new) if given else read(old) if old is not None and given is None else []
    if given == [] and old is not None:
        managers = read(old)
    comparison = _of_part(compare(old, new, of), subresource)
    if not comparison:
        return write(new, managers)
    lost = comparison.changed | comparison.removed
    mine = Manager(manager, "Update", api_version, subresource, comparison.changed, now)
    result = []
    for other in managers:
        if other.identity == mine.identity:
            mine = replace(mine, fields=(other.fields - comparison.removed) | comparison.changed)
        else:
            result.append(replace(other, fields=other.fields - lost))
    return write(new, _capped([*result, mine]))


def _of_part(comparison: Comparison, subresource: str) -> Comparison:
    """The status belongs to who writes through its subresource, everything else to who does not."""
    wants_status = subresource == "status"
    changed, removed = (
        frozenset(path for path in paths if (path[0] == "f:status") is wants_status)
        for paths in (comparison.changed, comparison.removed)
    )
    return Comparison(changed, removed)


def _capped(managers: Sequence[Manager]) -> Sequence[Manager]:
    """Of more than ten that update, the oldest become one, "ancient-changes" (capmanagers.go)."""
    updates = sorted((one for one in managers if one.operation == "Update"), key=lambda one: one.time)
    surplus = updates[: max(len(updates) - MAX_UPDATE_MANAGERS + 1, 0)] if len(updates) > MAX_UPDATE_MANAGERS else []
    if not surplus:
        return managers
    fields: FieldSet = frozenset().union(*(one.fields for one in surplus))
    merged = replace(surplus[-1], name=_ANCIENT, subresource="", fields=fields)
    return [*(one for one in managers if one not in surplus), merged]
