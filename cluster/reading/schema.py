"""Strict validation against the Kubernetes schemas: every field must be known and of the right type.

What the API server enforces beyond the schema is in `rules`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from cluster import kinds
from cluster.reading.findings import Finding, Path, found, suggestion
from cluster.reading.jsonschema_findings import Definitions, Validator

_STRING_MAPS = frozenset(("labels", "annotations", "matchLabels", "nodeSelector", "selector"))


def findings(data: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with one object, by its own kind's schema. `data` without nulls."""
    unknown = list(_identity(data))
    if unknown:
        return unknown
    return _validator(data["apiVersion"], data["kind"]).findings(data)


@cache
def _validator(api_version: str, kind: str) -> Validator:
    return _definitions().validator(kinds.definition_names()[api_version, kind])


@cache
def _definitions() -> Definitions:
    return Definitions(kinds.definitions())


def _identity(data: Mapping[str, Any]) -> Iterator[Finding]:
    """apiVersion and kind must be there and name a kind of Kubernetes."""
    api_version, kind = data.get("apiVersion"), data.get("kind")
    for name, value in (("apiVersion", api_version), ("kind", kind)):
        if not isinstance(value, str):
            yield Finding((name,), found(value, "must be set to a string"))
    if not isinstance(api_version, str) or not isinstance(kind, str):
        return
    served = kinds.api_versions().get(kind)
    if served is None:
        known = (*kinds.api_versions(), "Cluster", "List")
        yield Finding(("kind",), f"unknown kind '{kind}'{suggestion(kind, known)}")
    elif api_version not in served:
        yield Finding(("apiVersion",), found(api_version, f"{kind} is served as " + " or ".join(served)))


def without_nulls(value: Any, findings: list[Finding], path: Path = ()) -> Any:
    """A copy without null fields: Kubernetes reads `field:` with nothing behind it as a field that is not there.

    A null where that reading would lose something (a list item, a label) is a finding.
    """
    if isinstance(value, dict):
        kept = {}
        for key, below in value.items():
            if below is not None:
                kept[key] = without_nulls(below, findings, (*path, key))
            elif path and path[-1] in _STRING_MAPS:
                findings.append(Finding((*path, key), 'found nothing; must be a string: write ""'))
        return kept
    if isinstance(value, list):
        for index, item in enumerate(value):
            if item is None:
                findings.append(Finding((*path, index), "found an empty list item; fill it in or remove the '-'"))
        return [without_nulls(item, findings, (*path, index)) for index, item in enumerate(value) if item is not None]
    return value


def without(data: Mapping[str, Any], paths: list[Path]) -> dict[str, Any]:
    """A copy without the fields at these paths, so that what is right can still be checked further.

    A wrong list item takes its whole list along: the places of the others must not shift.
    """
    copy: dict[str, Any] = _copied(data)
    for path in paths:
        while path and isinstance(path[-1], int):
            path = path[:-1]
        place: Any = copy
        for step in path[:-1]:
            inside = step in place if isinstance(place, dict) else isinstance(place, list)
            place = place[step] if inside else None
        if path and isinstance(place, dict):
            place.pop(path[-1], None)
    return copy


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(below) for key, below in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
