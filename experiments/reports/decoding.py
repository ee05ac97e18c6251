"""JSON into frozen dataclasses: the annotations are the format, and every mistake has its path ("runs[3].arm")."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

_Record = TypeVar("_Record")
_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}


class WrongFormatError(ValueError):
    """A value is not what the annotation says. The message names its path, what was found and what would be right."""


def decode(record: type[_Record], value: object, path: str = "") -> _Record:
    """Fields that the dataclass does not have are passed over: a newer writer may say more. Raises WrongFormatError."""
    if not isinstance(value, Mapping):
        raise _wrong(path, value, "an object")
    as_object: Any = record
    hints, given = _hints(as_object), {}
    for field in fields(as_object):
        if field.name in value:
            given[field.name] = _value(hints[field.name], value[field.name], f"{path}.{field.name}".lstrip("."))
        elif field.default is MISSING:
            raise WrongFormatError(f"{path or 'the result'}: the field {field.name!r} is missing")
    return record(**given)


@cache
def _hints(record: Any) -> dict[str, Any]:
    return get_type_hints(record)


def _value(kind: Any, value: object, path: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        if value not in inner:
            raise _wrong(path, value, _said(kind))
        return value
    if origin in (Union, UnionType):
        return _one_of(inner, value, path)
    if origin is tuple:
        return _sequence(inner, value, path)
    if kind is Any:
        return value
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(path, value, "an object")
        return {key: _value(inner[1], each, f"{path}.{key}") for key, each in value.items()}
    if isinstance(kind, type) and is_dataclass(kind):
        return decode(kind, value, path)
    return _scalar(kind, value, path)


def _sequence(inner: tuple[Any, ...], value: object, path: str) -> tuple[Any, ...]:
    """Either tuple[X, ...], or a fixed number of items."""
    if not isinstance(value, (list, tuple)):
        raise _wrong(path, value, "a list")
    kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
    if len(kinds) != len(value):
        raise _wrong(path, value, f"a list of {len(kinds)} items")
    return tuple(_value(kind, each, f"{path}[{at}]") for at, (kind, each) in enumerate(zip(kinds, value, strict=True)))


def _one_of(kinds: tuple[Any, ...], value: object, path: str) -> Any:
    """The first that takes it."""
    for kind in kinds:
        try:
            return _value(kind, value, path)
        except WrongFormatError:
            continue
    raise _wrong(path, value, " or ".join(map(_said, kinds)))


def _said(kind: Any) -> str:
    return "one of " + ", ".join(map(repr, get_args(kind))) if get_origin(kind) is Literal else _WORDS.get(kind, "an object")


def _scalar(kind: type, value: object, path: str) -> object:
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if kind is not float and type(value) is kind:
        return value
    raise _wrong(path, value, _WORDS[kind])


def _wrong(path: str, value: object, right: str) -> WrongFormatError:
    found = repr(value)
    return WrongFormatError(f"{path or 'the result'}: found {found[:60]}{'…' if len(found) > 60 else ''}; must be {right}")
