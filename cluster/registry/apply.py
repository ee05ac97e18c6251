"""Server-side apply: the applied configuration over the live object, minus what its manager applied before and no longer does.

structured-merge-diff, merge/update.go (Updater.Apply); the messages of conflicts are apimachinery's, managedfields/internal/
conflict.go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cluster.objects import Object
from cluster.registry import errors, field_sets, managed_fields
from cluster.registry.errors import Cause, StatusError, quoted
from cluster.registry.field_sets import FieldSet
from cluster.registry.managed_fields import Manager
from cluster.registry.types import Type
from cluster.well_known import LAST_APPLIED_ANNOTATION

KUBECTL = "kubectl"
_BEFORE_FIRST_APPLY = "before-first-apply"


@dataclass(frozen=True, slots=True)
class Applier:
    """Who applies, and how."""

    name: str
    api_version: str
    subresource: str
    force: bool
    now: str


@dataclass(frozen=True, slots=True)
class Merged:
    """The object before defaults and admission; `managers` become final when these have run (`finished`)."""

    obj: Object
    managers: Sequence[Manager]


def merge(live: Object | None, config: Object, of: Type, applier: Applier) -> Merged:
    """What applying `config` makes of `live`, without regard to conflicts."""
    applied = frozenset(managed_fields.owned_leaves(config, of))
    mine = Manager(applier.name, "Apply", applier.api_version, applier.subresource, applied, applier.now)
    if live is None:
        return Merged(config, [mine])
    managers = managed_fields.read(live) or [_before_first_apply(live, of, applier)]
    last = next((one for one in managers if one.identity == mine.identity), None)
    if last is not None and last.fields == applied:
        mine = replace(mine, time=last.time)
    others = [one for one in managers if one.identity != mine.identity]
    merged = field_sets.merged(live, config, of)
    if last is not None:
        owned: FieldSet = applied.union(*(one.fields for one in others))
        merged = field_sets.without(merged, of, last.fields - owned, owned)
    return Merged(merged, [*others, mine])


def finished(live: Object | None, new: Object, merged: Merged, of: Type, applier: Applier) -> Object:
    """`new` is the merged object with its defaults. Raises StatusError 409 with every conflict, unless forced."""
    managers = merged.managers
    if live is None:
        return managed_fields.write(new, managers)
    comparison = managed_fields.compare(live, new, of)
    me = managers[-1]
    result, conflicts = [], []
    for other in managers[:-1]:
        lost = other.fields & comparison.changed
        if lost:
            conflicts.append(replace(other, fields=lost))
        result.append(replace(other, fields=other.fields - lost - comparison.removed))
    if conflicts and not applier.force:
        conflicts = _not_from_last_applied(conflicts, live, of, applier)
        if conflicts:
            raise _refused(conflicts)
    return managed_fields.write(new, [*result, me])


def _before_first_apply(live: Object, of: Type, applier: Applier) -> Manager:
    """Whoever made an object that has no managers, it is not who applies now."""
    fields = frozenset(managed_fields.owned_leaves(live, of))
    return Manager(_BEFORE_FIRST_APPLY, "Update", applier.api_version, "", fields, applier.now)


def _not_from_last_applied(conflicts: list[Manager], live: Object, of: Type, applier: Applier) -> list[Manager]:
    """kubectl may take over what it had applied from the client before (lastappliedmanager.go)."""
    text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED_ANNOTATION)
    if applier.name != KUBECTL or not text:
        return conflicts
    try:
        config = json.loads(text)
        allowed = frozenset(managed_fields.owned_leaves(config, of))
    except (ValueError, KeyError, TypeError, AttributeError):
        return conflicts  # not an annotation that kubectl wrote
    left = [replace(one, fields=one.fields - allowed) for one in conflicts]
    return [one for one in left if one.fields]


def with_last_applied(new: Object, config: Object, applier: Applier) -> Object:
    """The annotation follows, so that a later client-side apply knows what was applied (lastappliedupdater.go)."""
    annotations: Mapping[str, Any] = new["metadata"].get("annotations") or {}
    if applier.name != KUBECTL or LAST_APPLIED_ANNOTATION not in annotations:
        return new
    text = json.dumps(config, separators=(",", ":"), sort_keys=True) + "\n"
    return {**new, "metadata": {**new["metadata"], "annotations": {**annotations, LAST_APPLIED_ANNOTATION: text}}}


def _refused(conflicts: Sequence[Manager]) -> StatusError:
    listed = sorted(conflicts, key=_shown)
    causes = [
        Cause("FieldManagerConflict", f"conflict with {_shown(one)}", field_sets.shown(path))
        for one in listed
        for path in sorted(one.fields)
    ]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}"
        return errors.apply_conflict(message, causes)
    lines = []
    for one in listed:
        lines.append(f"conflicts with {_shown(one)}:")
        lines += [f"- {field_sets.shown(path)}" for path in sorted(one.fields)]
    return errors.apply_conflict(f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines), causes)


def _shown(manager: Manager) -> str:
    text = quoted(manager.name)
    if manager.subresource:
        text += f" with subresource {quoted(manager.subresource)}"
    if manager.operation == "Update":
        text += f" using {manager.api_version}" + (f" at {manager.time}" if manager.time else "")
    return text
