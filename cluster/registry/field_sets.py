"""Sets of fields, and their form in metadata.managedFields (sigs.k8s.io/structured-merge-diff, fieldpath).

A path is a tuple of FieldsV1's own path elements: "f:spec", 'k:{"name":"web"}' (the item of a list with these keys),
'v:"x"' (an item of a set).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from cluster.registry.types import Type

Path = tuple[str, ...]
FieldSet = frozenset[Path]

_HERE = "."
_CONTAINER = object()
"""The value of a path that stands for a container: its fields have paths of their own."""


def leaves(value: Any, of: Type) -> dict[Path, Any]:
    """Every field of an object with its value; a list or map that is one value (atomic) is one field.

    The item of a list and the entry of a map count as fields too, so that an owner of all of it owns its being there.
    """
    found: dict[Path, Any] = {}
    _collect(value, of, (), found)
    return found


def fields_of(value: Any, of: Type) -> FieldSet:
    return frozenset(leaves(value, of))


def _collect(value: Any, of: Type, path: Path, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and of.shape != "scalar" and not of.is_atomic:
        if not value:
            found[path] = value
        for name, below in value.items():
            here = (*path, f"f:{name}")
            if of.shape == "map":
                found[here] = _CONTAINER if isinstance(below, dict) else below
            _collect(below, of.below(name), here, found)
    elif isinstance(value, list) and of.list_type in ("map", "set") and of.shape == "list":
        if not value:
            found[path] = value
        for item in value:
            here = (*path, element(item, of))
            found[here] = _CONTAINER if isinstance(item, dict) else item
            if of.list_type == "map":
                _collect(item, of.item, here, found)
    elif path:
        found[path] = value


def element(item: Any, of: Type) -> str:
    """The path element of a list's item."""
    if of.list_type == "set" or not isinstance(item, dict):
        return "v:" + _dumps(item)
    keys = {key: item.get(key, of.default_keys.get(key)) for key in of.map_keys}
    return "k:" + _dumps({key: value for key, value in sorted(keys.items()) if value is not None})


@lru_cache(maxsize=1024)
def to_fields_v1(fields: FieldSet) -> dict[str, Any]:
    """The same dict for the same fields, since many objects have them: not to be changed."""
    root: dict[str, Any] = {}
    for path in sorted(fields, key=len):
        place = root
        for step in path[:-1]:
            place = place.setdefault(step, {})
        place.setdefault(path[-1], {})[_HERE] = {}
    return _compact(root)


def _compact(node: dict[str, Any]) -> dict[str, Any]:
    """A field without fields below is written {}, not {".": {}}."""
    return {
        step: {}
        if below.keys() == {_HERE}
        else {_HERE: {}, **_compact(_below(below))}
        if _HERE in below
        else _compact(below)
        for step, below in sorted(node.items())
    }


def _below(node: dict[str, Any]) -> dict[str, Any]:
    return {step: below for step, below in node.items() if step != _HERE}


def from_fields_v1(fields: Any) -> FieldSet:
    return frozenset(_paths(fields, ()))


def _paths(node: Any, path: Path) -> Iterator[Path]:
    if not isinstance(node, Mapping):
        return
    if path and (not node or _HERE in node):
        yield path
    for step, below in node.items():
        if step != _HERE:
            yield from _paths(below, (*path, str(step)))


def shown(path: Path) -> str:
    """As messages name it: .spec.template.spec.containers[name="web"].image."""
    text = ""
    for step in path:
        kind, _, value = step.partition(":")
        if kind == "f":
            text += f".{value}"
        elif kind == "k":
            keys = json.loads(value)
            text += "[" + ",".join(f"{key}={_dumps(keys[key])}" for key in sorted(keys)) + "]"
        else:
            text += f"[={value}]" if kind == "v" else f"[{value}]"
    return text


def without(value: Any, of: Type, gone: FieldSet, kept: FieldSet) -> Any:
    """A copy without the fields `gone`; a container stays as long as one of `kept` is in it."""
    prefixes = {path[:length] for path in kept for length in range(1, len(path) + 1)}
    return _without(value, of, (), gone, prefixes)


def _without(value: Any, of: Type, path: Path, gone: FieldSet, kept: set[Path]) -> Any:
    if isinstance(value, dict) and not of.is_atomic:
        result = {}
        for name, below in value.items():
            here = (*path, f"f:{name}")
            if here in gone and here not in kept:
                continue
            left = _without(below, of.below(name), here, gone, kept)
            # What was emptied goes; what was empty before stays.
            if not (left in ({}, []) and below not in ({}, []) and here not in kept):
                result[name] = left
        return result
    if isinstance(value, list) and of.list_type in ("map", "set"):
        items = [(item, (*path, element(item, of))) for item in value]
        return [_without(item, of.item, here, gone, kept) for item, here in items if here not in gone or here in kept]
    return value


def merged(live: Any, given: Any, of: Type) -> Any:
    """`given` over `live`: maps and lists of items are merged, everything else is replaced."""
    if isinstance(given, dict) and isinstance(live, dict) and not of.is_atomic:
        result = dict(live)
        for name, below in given.items():
            result[name] = merged(live[name], below, of.below(name)) if name in live else below
        return result
    if isinstance(given, list) and isinstance(live, list) and of.shape == "list" and of.list_type in ("map", "set"):
        return _merged_items(live, given, of)
    return given


def _merged_items(live: list[Any], given: list[Any], of: Type) -> list[Any]:
    """The given items in their order; the others of `live` keep their place among them."""
    fresh = {element(item, of): item for item in given}
    present = {element(item, of) for item in live}
    result: list[Any] = []
    pending = [key for key in fresh]
    by_key = {element(item, of): item for item in live}
    for item in live:
        key = element(item, of)
        if key not in fresh:
            result.append(item)
            continue
        while pending and key in pending:
            head = pending.pop(0)
            result.append(merged(by_key[head], fresh[head], of.item) if head in present else fresh[head])
    result += [merged(by_key[key], fresh[key], of.item) if key in present else fresh[key] for key in pending]
    return result


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
