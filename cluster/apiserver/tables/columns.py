"""A column: its headline and what of an object stands in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cluster.apiserver.tables.text import NONE, age

Cell = str | int | bool
Value = Callable[[Mapping[str, Any], float], Cell]
"""(object, seconds since the epoch) -> what stands there."""

WIDE = 1


@dataclass(frozen=True, slots=True)
class Column:
    """`priority` 0 is always shown, 1 with `-o wide`."""

    name: str
    value: Value
    type: Literal["string", "integer", "boolean"] = "string"
    priority: int = 0
    format: str = ""


def column(name: str, value: Callable[[Mapping[str, Any]], Cell], priority: int = 0) -> Column:
    """A column of text that does not depend on the time."""
    return Column(name, lambda obj, _: value(obj), priority=priority)


def number(name: str, value: Callable[[Mapping[str, Any]], int], priority: int = 0) -> Column:
    return Column(name, lambda obj, _: value(obj), "integer", priority)


def at(path: str, default: Any = NONE) -> Callable[[Mapping[str, Any]], Any]:
    """The value of a field, "spec.nodeName"; the default where it is missing or empty."""
    steps = path.split(".")

    def value(obj: Mapping[str, Any]) -> Any:
        place: Any = obj
        for step in steps:
            place = (place or {}).get(step)
        return default if place is None or place == "" else place

    return value


def count(path: str) -> Callable[[Mapping[str, Any]], int]:
    """A number field; 0 where it is missing."""
    value = at(path, 0)
    return lambda obj: int(value(obj))


NAME = Column("Name", lambda obj, _: str(obj["metadata"].get("name", "")), format="name")
AGE = Column("Age", lambda obj, now_s: age(obj["metadata"].get("creationTimestamp"), now_s))
CREATED_AT = column("Created At", at("metadata.creationTimestamp", "<unknown>"))
