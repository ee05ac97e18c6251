"""Strategic merge patch: a merge patch that knows which lists are merged by key (apimachinery/pkg/util/strategicpatch).

Directives: `$patch: replace | delete | merge`, `$retainKeys`, `$deleteFromPrimitiveList/<list>`, `$setElementOrder/<list>`.
"""

from __future__ import annotations

from typing import Any

from cluster.registry.json_patch import PatchError
from cluster.registry.types import Type

_PATCH = "$patch"
_RETAIN_KEYS = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_SET_ORDER = "$setElementOrder/"
_REPLACE, _DELETE, _MERGE = "replace", "delete", "merge"


def merge(original: Any, patch: Any, of: Type) -> Any:
    """Raises PatchError."""
    if not isinstance(patch, dict):
        raise PatchError("a strategic merge patch must be a map")
    return _map(original if isinstance(original, dict) else {}, patch, of)


def _map(original: dict[str, Any], patch: dict[str, Any], of: Type) -> dict[str, Any]:
    directive = patch.get(_PATCH)
    if directive == _REPLACE:
        return {name: value for name, value in patch.items() if name != _PATCH}
    if directive == _DELETE:
        return {}
    if directive not in (None, _MERGE):
        raise PatchError(f"unknown patch type found: {directive}")
    result = _retained(original, patch) if _RETAIN_KEYS in patch else dict(original)
    for name, value in patch.items():
        if name.startswith(_DELETE_FROM):
            _delete_items(result, name.removeprefix(_DELETE_FROM), value)
    for name, value in patch.items():
        if _is_directive(name):
            continue
        if value is None or (isinstance(value, dict) and value.get(_PATCH) == _DELETE):
            result.pop(name, None)
        else:
            result[name] = _value(result.get(name), value, of.below(name), patch.get(_SET_ORDER + name))
    _order_the_rest(result, original, patch, of)
    return result


def _is_directive(name: str) -> bool:
    return name in (_PATCH, _RETAIN_KEYS) or name.startswith((_DELETE_FROM, _SET_ORDER))


def _order_the_rest(result: dict[str, Any], original: dict[str, Any], patch: dict[str, Any], of: Type) -> None:
    """Lists that the patch orders without changing anything else in them."""
    for name, order in patch.items():
        own = name.removeprefix(_SET_ORDER)
        if name.startswith(_SET_ORDER) and own not in patch and isinstance(result.get(own), list):
            result[own] = _ordered(result[own], original.get(own) or [], order, of.below(own))


def _retained(result: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    keys = patch[_RETAIN_KEYS]
    if not isinstance(keys, list):
        raise PatchError(f"{_RETAIN_KEYS} must be a list")
    for name, value in patch.items():
        if not name.startswith("$") and value is not None and name not in keys:
            raise PatchError(f"the list of {_RETAIN_KEYS} does not contain all fields present in the patch")
    return {name: value for name, value in result.items() if name in keys}


def _delete_items(result: dict[str, Any], name: str, gone: Any) -> None:
    if not isinstance(gone, list):
        raise PatchError(f"{_DELETE_FROM}{name} must be a list")
    if isinstance(result.get(name), list):
        result[name] = [item for item in result[name] if item not in gone]


def _value(original: Any, value: Any, of: Type, order: Any) -> Any:
    if isinstance(value, dict):
        replaces = _REPLACE in of.patch_strategy or of.shape == "any"
        if replaces and of.shape != "any":
            return _map({}, value, of)
        return _map(original if isinstance(original, dict) else {}, value, of)
    if not isinstance(value, list):
        return value
    before = original if isinstance(original, list) else []
    if _MERGE not in of.patch_strategy:
        return _plain(value)
    if of.merge_key:
        merged = _list_of_maps(before, value, of)
    else:
        merged = [*before, *(item for item in _unique(value) if item not in before)]
    return _ordered(merged, before, order, of) if order is not None else merged


def _plain(value: list[Any]) -> list[Any]:
    """A list that is replaced as a whole."""
    return [item for item in value if not (isinstance(item, dict) and item.keys() == {_PATCH})]


def _unique(value: list[Any]) -> list[Any]:
    seen: list[Any] = []
    for item in value:
        if item not in seen:
            seen.append(item)
    return seen


def _list_of_maps(original: list[Any], patch: list[Any], of: Type) -> list[Any]:
    key = of.merge_key
    if not all(isinstance(item, dict) for item in (*original, *patch)):
        raise PatchError(f"a list that is merged by {key} must hold maps")
    if any(item.get(_PATCH) == _REPLACE for item in patch):
        return [item for item in patch if _PATCH not in item]
    result = list(original)
    for item in patch:
        if key not in item:
            raise PatchError(f"map: {item} does not contain declared merge key: {key}")
        place = next((index for index, one in enumerate(result) if one.get(key) == item[key]), None)
        if item.get(_PATCH) == _DELETE:
            result = [one for one in result if one.get(key) != item[key]]
        elif place is None:
            result.append(_map({}, item, of.item))
        else:
            result[place] = _map(result[place], item, of.item)
    return result


def _ordered(merged: list[Any], before: list[Any], order: Any, of: Type) -> list[Any]:
    """The listed items in the order of the directive; the others stay where they were relative to them."""
    if not isinstance(order, list):
        raise PatchError("a list of element order must be a list")
    wanted = [_identity(item, of) for item in order]
    old = [_identity(item, of) for item in before]
    listed = [item for item in merged if _identity(item, of) in wanted]
    listed.sort(key=lambda item: wanted.index(_identity(item, of)))
    others = [item for item in merged if _identity(item, of) not in wanted]
    result: list[Any] = []
    while listed and others:
        first, other = _identity(listed[0], of), _identity(others[0], of)
        other_first = first in old and other in old and old.index(other) < old.index(first)
        result.append((others if other_first else listed).pop(0))
    return [*result, *listed, *others]


def _identity(item: Any, of: Type) -> Any:
    return item.get(of.merge_key) if isinstance(item, dict) else item
