"""The words in which every check speaks: a finding is a path into a document and a sentence about it.

A check knows nothing of files; `documents.Document.problem` adds file, line and subject. A sentence says what
was found and what would be right.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
"""Where in a document: keys and list indices, from the root."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SIMILAR_ENOUGH = 0.6
_SHOWN_CHARACTERS = 60
_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "list"),
    (dict, "map"),
)
"""First match wins: a Python bool is an int too."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake: where, and what is wrong. A missing field is named by the path that it would have."""

    path: Path
    message: str


def dotted(path: Path) -> str:
    """A path as Kubernetes writes it: spec.ports[0].name, metadata.labels['app.kubernetes.io/name']."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"['{step}']"
    return text


def type_name(value: object) -> str:
    return next((name for kind, name in _TYPE_NAMES if isinstance(value, kind)), "null")


def shown(value: Any) -> str:
    """A value as it stands in a sentence: 'http', 80, true; a map or list by its kind only."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= _SHOWN_CHARACTERS else f"'{value[:_SHOWN_CHARACTERS]}…'"
    if isinstance(value, (list, dict)):
        return f"a {type_name(value)}" if value else f"an empty {type_name(value)}"
    return "nothing" if value is None else str(value)


def found(value: Any, rule: str) -> str:
    """The usual sentence: what was found; what would be right."""
    return f"found {shown(value)}; {rule}"


def any_of(values: Iterable[str]) -> str:
    """'Kubernetes' way of listing what it accepts."""
    return "supported values: " + ", ".join(f"'{value}'" for value in values)


def suggestion(word: str, known: Iterable[str]) -> str:
    """The nearest known word as "; did you mean 'replicas'?", or "" when nothing is near. Case does not count."""
    by_lower = {candidate.lower(): candidate for candidate in sorted(known, reverse=True)}
    near = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=_SIMILAR_ENOUGH)
    return f"; did you mean '{by_lower[near[0]]}'?" if near else ""
