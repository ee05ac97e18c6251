"""JSON patch (RFC 6902) and JSON merge patch (RFC 7386). Both leave what they are given as it is."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from cluster.objects import Object

MAX_OPERATIONS = 10_000
"""As the API server's limit on one JSON patch."""

_END = "-"


class PatchError(Exception):
    """The patch cannot be applied to this object."""


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def apply(target: Object, operations: Any) -> Any:
    """Raises PatchError."""
    if not isinstance(operations, list):
        raise PatchError("the patch must be a list of operations")
    if len(operations) > MAX_OPERATIONS:
        raise PatchError(f"the allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}")
    document: Any = deepcopy(target)
    for operation in operations:
        if not isinstance(operation, dict) or operation.get("op") not in _OPERATIONS:
            raise PatchError(f"unexpected kind of operation: {operation!r:.100}")
        document = _OPERATIONS[operation["op"]](document, operation)
    return document


def _pointer(operation: Object, field: str = "path") -> list[str]:
    text = operation.get(field)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise PatchError(f"{operation['op']} operation has no valid {field}")
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def _value(operation: Object) -> Any:
    if "value" not in operation:
        raise PatchError(f"{operation['op']} operation does not have a value")
    return deepcopy(operation["value"])


def _holder(document: Any, path: list[str], op: str) -> Any:
    for step in path[:-1]:
        document = _get(document, step, path, op)
    if not isinstance(document, (dict, list)):
        raise _missing(op, path)
    return document


def _get(holder: Any, step: str, path: list[str], op: str) -> Any:
    if isinstance(holder, dict) and step in holder:
        return holder[step]
    if isinstance(holder, list):
        return holder[_index(holder, step, path, op, len(holder) - 1)]
    raise _missing(op, path)


def _index(holder: list[Any], step: str, path: list[str], op: str, last: int) -> int:
    if not step.isascii() or not step.isdigit() or (len(step) > 1 and step[0] == "0") or int(step) > last:
        raise _missing(op, path)
    return int(step)


def _missing(op: str, path: list[str]) -> PatchError:
    text = "/" + "/".join(path)
    return PatchError(f"{op} operation does not apply: doc is missing path: {text}: missing value")


def _insert(document: Any, path: list[str], value: Any, op: str) -> Any:
    if not path:
        return value
    holder = _holder(document, path, op)
    if isinstance(holder, dict):
        holder[path[-1]] = value
    else:
        place = len(holder) if path[-1] == _END else _index(holder, path[-1], path, op, len(holder))
        holder.insert(place, value)
    return document


def _cut(document: Any, path: list[str], op: str) -> Any:
    if not path:
        raise PatchError(f"{op} operation may not take the whole document")
    holder = _holder(document, path, op)
    value = _get(holder, path[-1], path, op)
    del holder[path[-1] if isinstance(holder, dict) else int(path[-1])]
    return value


def _at(document: Any, path: list[str], op: str) -> Any:
    for step in path:
        document = _get(document, step, path, op)
    return document


def _add(document: Any, operation: Object) -> Any:
    return _insert(document, _pointer(operation), _value(operation), "add")


def _remove(document: Any, operation: Object) -> Any:
    _cut(document, _pointer(operation), "remove")
    return document


def _replace(document: Any, operation: Object) -> Any:
    path, value = _pointer(operation), _value(operation)
    if path:
        _cut(document, path, "replace")
    return _insert(document, path, value, "replace")


def _move(document: Any, operation: Object) -> Any:
    source, target = _pointer(operation, "from"), _pointer(operation)
    if target[: len(source)] == source and len(target) > len(source):
        raise PatchError("move operation may not move a value into itself")
    return _insert(document, target, _cut(document, source, "move"), "move")


def _copy(document: Any, operation: Object) -> Any:
    return _insert(document, _pointer(operation), deepcopy(_at(document, _pointer(operation, "from"), "copy")), "copy")


def _test(document: Any, operation: Object) -> Any:
    path = _pointer(operation)
    try:
        found = _at(document, path, "test")
    except PatchError:
        found = None  # a test for null passes where nothing is, as in the API server's library
    if not _equal(found, operation.get("value")):
        raise PatchError(f"testing value /{'/'.join(path)} failed: test failed")
    return document


def _equal(one: Any, other: Any) -> bool:
    """JSON's equality: true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


_OPERATIONS: dict[str, Callable[[Any, Object], Any]] = {
    "add": _add, "copy": _copy, "move": _move, "remove": _remove, "replace": _replace, "test": _test,
}  # fmt: skip
