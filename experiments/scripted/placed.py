"""Values with the places where they were written, and `${{ name }}` in them replaced by what it stands for.

A text that is nothing but `${{ name }}` becomes the value itself, with its type; inside a longer text the value is
written out. A list that comes to stand in a list is spliced in. What is put in keeps its own place, so that a mistake
in a value is told at the line where somebody wrote it, not where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cluster.problems import Problem
from cluster.reading.documents import Document, Lines
from cluster.reading.findings import Finding, Path, dotted, shown, suggestion

VARIABLE = re.compile(r"\$\{\{\s*([A-Za-z_][A-Za-z0-9_-]*)\s*\}\}")
OPENING = "${{"


@dataclass(frozen=True, slots=True)
class Placed:
    """A value; `path` in the document where it was written, `line` there, and `children` by key or index."""

    value: Any
    path: Path
    line: int
    children: Mapping[str | int, Placed] = field(default_factory=dict)

    def at(self, path: Path) -> tuple[Path, int]:
        """Where what this value has at `path` was written; of what is not there, the nearest part around it."""
        here = self
        for number, step in enumerate(path):
            below = here.children.get(step)
            if below is None:
                return (*here.path, *path[number:]), here.line
            here = below
        return here.path, here.line

    def get(self, *path: str | int) -> Placed | None:
        here: Placed | None = self
        for step in path:
            here = here.children.get(step) if here else None
        return here


def placed(document: Document) -> Placed:
    """The whole document."""
    return _placed(document.data, document.lines or Lines(document.line), ())


def _placed(value: Any, lines: Lines, path: Path) -> Placed:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    children = {key: _placed(below, lines.children.get(key, Lines(lines.line)), (*path, key)) for key, below in items}
    return Placed(value, path, lines.line, children)


def document(file: str, value: Placed, data: Mapping[str, Any] | None = None) -> Document:
    """A map with its lines, as what reads manifests takes it."""
    return Document(file, value.line, dict(value.value if data is None else data), _lines(value))


def _lines(value: Placed) -> Lines:
    return Lines(value.line, {key: _lines(below) for key, below in value.children.items()})


def problem(file: str, subject: str, value: Placed, finding: Finding) -> Problem:
    """What a check of `value` found, told where it was written."""
    path, line = value.at(finding.path)
    return Problem(file, line, subject, dotted(path), finding.message)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A variable that nobody sets: where it is used, and the sentence."""

    path: Path
    line: int
    message: str


def render(value: Placed, variables: Mapping[str, Placed], unknown: list[Unknown]) -> Placed:
    """A copy with every variable replaced. Those that are not there are told in `unknown`, and left as they are."""
    if isinstance(value.value, dict):
        children = {key: render(below, variables, unknown) for key, below in value.children.items()}
        return Placed({key: below.value for key, below in children.items()}, value.path, value.line, dict(children))
    if isinstance(value.value, list):
        items = [item for below in value.children.values() for item in _item(below, variables, unknown)]
        return Placed([item.value for item in items], value.path, value.line, dict(enumerate(items)))
    if isinstance(value.value, str) and OPENING in value.value:
        return _text(value, variables, unknown)
    return value


def _item(item: Placed, variables: Mapping[str, Placed], unknown: list[Unknown]) -> Iterator[Placed]:
    rendered = render(item, variables, unknown)
    if isinstance(item.value, str) and isinstance(rendered.value, list):
        yield from rendered.children.values()
    else:
        yield rendered


def _text(value: Placed, variables: Mapping[str, Placed], unknown: list[Unknown]) -> Placed:
    text = value.value
    for name in VARIABLE.findall(text):
        if name not in variables:
            have = ", ".join(variables) or "none"
            hint = suggestion(name, variables) or f"; set here: {have}"
            unknown.append(Unknown(value.path, value.line, f"found the variable '{name}', which nothing sets{hint}"))
            return value
    if VARIABLE.sub("", text).count(OPENING):
        unknown.append(Unknown(value.path, value.line, f"found {shown(text)}; a variable is written as ${{{{ name }}}}"))
        return value
    whole = VARIABLE.fullmatch(text)
    if whole:
        return variables[whole[1]]
    written = VARIABLE.sub(lambda match: _written(variables[match[1]].value), text)
    return Placed(written, value.path, value.line)


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
