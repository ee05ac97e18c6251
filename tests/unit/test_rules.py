"""What the rules admit, and that no input, however broken, makes them fall over."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.reading import config, manifests, notices
from cluster.reading.config import DEFAULT_DOCUMENT
from cluster.reading.documents import Document, read
from cluster.reading.findings import Path as FieldPath
from cluster.rules import together

FOLDER = Path(__file__).parent / "right_specs"
OBJECTS: list[dict[str, Any]] = [document.data for document in read([str(FOLDER)]).documents]
CLUSTER = config.resolve(DEFAULT_DOCUMENT)
WRONG_VALUES: list[Any] = [None, "", "text", "10.0.0.0/8", 0, -1, 70000, 1.5, True, [], [None], ["a"], {}, {"a": "b"}]


def named(data: dict[str, Any]) -> str:
    return f"{data['kind']}-{data.get('metadata', data)['name']}"


def messages(data: dict[str, Any]) -> list[str]:
    """Every problem of one object, alone in a spec."""
    document = Document("spec.yaml", 1, data)
    if config.is_cluster(data):
        return [str(problem) for problem in config.check(document)]
    checked = manifests.check(document)
    problems = [*checked.problems, *together.check([checked.document], CLUSTER)]
    if not problems:
        notices.notices([checked.document])
    return [str(problem) for problem in problems]


@pytest.mark.parametrize("data", OBJECTS, ids=named)
def test_right_objects_are_admitted(data: dict[str, Any]) -> None:
    assert messages(data) == []


def places(value: Any, path: FieldPath = ()) -> Iterator[FieldPath]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in inner:
        yield from places(below, (*path, step))


def broken(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The object with each of its parts removed, and replaced by each of the wrong values."""
    for path in places(data):
        for wrong in WRONG_VALUES:
            version = copy.deepcopy(data)
            place = _holder(version, path)
            place[path[-1]] = copy.deepcopy(wrong)
            yield version
        version = copy.deepcopy(data)
        del _holder(version, path)[path[-1]]
        yield version


def _holder(data: Any, path: FieldPath) -> Any:
    for step in path[:-1]:
        data = data[step]
    return data


@pytest.mark.parametrize("data", OBJECTS, ids=named)
def test_whatever_is_broken_is_told_and_never_a_traceback(data: dict[str, Any]) -> None:
    told = [messages(version) for version in broken(data)]
    assert sum(map(bool, told)) > len(told) / 3
    assert all("None" not in message.replace("'None'", "") for found in told for message in found)
