"""What is broken on purpose, as `mininetes fault` says it in annotations: links that are down or have another shape, and
partitions. Pure; `fault_keeper` does it.

Each fault is an annotation of its own, on the first node, so that two commands at a time do not undo each other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cluster import objects
from cluster.model import LinkShape

PREFIX = "faults.mininetes.dev/"
Ends = frozenset[str]
"""Of a link, by the names of what is there."""
Sides = tuple[frozenset[str], ...]
"""Machines between which no packet gets through."""


@dataclass(frozen=True, slots=True)
class Faults:
    """All that is broken. A link of `shapes` that stands there has that shape instead of the spec's."""

    down: frozenset[Ends] = frozenset()
    shapes: frozenset[tuple[Ends, LinkShape]] = frozenset()
    partitions: frozenset[Sides] = frozenset()

    def unreachable(self, machine: str) -> frozenset[str]:
        """Whom a machine's packets must not reach."""
        found: set[str] = set()
        for sides in self.partitions:
            for side in sides:
                if machine in side:
                    found.update(*(other for other in sides if other is not side))
        return frozenset(found - {machine})


def told(node: Mapping[str, Any]) -> dict[str, str]:
    """The annotations of a Node object that speak of faults."""
    annotations = node["metadata"].get("annotations") or {}
    return {key: text for key, text in annotations.items() if key.startswith(PREFIX)}


def of(annotations: Mapping[str, str]) -> Faults:
    """What they say."""
    found = [json.loads(text) for text in annotations.values()]
    return Faults(
        frozenset(frozenset(fault["link"]) for fault in found if "link" in fault and "shape" not in fault),
        frozenset((frozenset(fault["link"]), LinkShape(**fault["shape"])) for fault in found if "shape" in fault),
        frozenset(
            tuple(frozenset(side) for side in fault["partition"]) for fault in found if "partition" in fault
        ),
    )


def cut(a: str, b: str) -> tuple[str, str]:
    """The annotation that says that a link is down."""
    ends = sorted((a, b))
    return _key("down", ends), json.dumps({"link": ends})


def shaped(a: str, b: str, shape: LinkShape) -> tuple[str, str]:
    """The annotation that says what a link does to packets."""
    ends = sorted((a, b))
    return _key("shape", ends), json.dumps({"link": ends, "shape": asdict(shape)})


def partitioned(sides: Iterable[Iterable[str]]) -> tuple[str, str]:
    """The annotation that says that no packet gets from one of these sets of machines to another."""
    ordered = sorted(sorted(side) for side in sides)
    return _key("partition", ordered), json.dumps({"partition": ordered})


def _key(kind: str, what: object) -> str:
    """Of the same fault always the same; an annotation's name has no room for the names of machines."""
    return f"{PREFIX}{kind}-{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]}"


def holder(nodes: Iterable[Mapping[str, Any]]) -> str:
    """The node whose annotations tell of faults: the first by name, which is always there."""
    return min(map(objects.name, nodes))
