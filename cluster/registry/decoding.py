"""JSON -> an object of its type, as the API server decodes it: nulls are fields that are not there, unknown fields go.

Compiled to one closure per type, since every write passes here.
"""

from __future__ import annotations

import base64
import binascii
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.objects import Object
from cluster.registry import types
from cluster.registry.errors import bad_request, quoted
from cluster.registry.types import Type
from cluster.resources import Resource

_QUANTITY = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
_INDEX = re.compile(r"\[\d+\]")
_GO_SCALARS = {"integer": "int32", "number": "float64", "boolean": "bool", "byte": "[]uint8"}
_INT_RANGES = {"int32": 2**31, "int64": 2**63}
_MAX_SHOWN = 100
_INTERNED_CHARACTERS = 64
"""Strings up to this length are shared by all objects that have them."""

Decoder = Callable[[Any, str, "_Decoding"], Any]


@dataclass(frozen=True, slots=True)
class Decoded:
    """`unknown` are the sentences of a strict decoder: 'unknown field "spec.foo"'."""

    obj: Object
    unknown: Sequence[str]


class _Misfit(Exception):
    pass


@dataclass
class _Decoding:
    unknown: list[str] = field(default_factory=list)
    struct: str = ""
    """The struct whose field is being decoded, as messages name it."""


def decode(resource: Resource, given: Any) -> Decoded:
    """Raises StatusError where a value is not of its field's type, or the object is of another kind."""
    if not isinstance(given, dict):
        raise bad_request(f"the body must be a JSON object of kind {resource.kind}")
    _check_identity(resource, given)
    state = _Decoding()
    try:
        obj = _decoder(types.of(resource))(given, "", state)
    except _Misfit as error:
        raise bad_request(_sentence(resource, str(error))) from error
    except RecursionError as error:
        raise bad_request(_sentence(resource, "exceeded max depth")) from error
    if "metadata" in obj:
        # Every field of ObjectMeta has omitempty: the last label takes the map along.
        obj["metadata"] = {field: value for field, value in obj["metadata"].items() if value not in _EMPTY}
    return Decoded(
        {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            **{k: v for k, v in obj.items() if k not in _IDENTITY},
        },
        state.unknown,
    )


_IDENTITY = ("apiVersion", "kind")
_EMPTY: tuple[Any, ...] = ({}, [], "")


def strict_error(resource: Resource, unknown: Sequence[str]) -> str:
    return _sentence(resource, f"strict decoding error: {', '.join(unknown)}")


def _sentence(resource: Resource, why: str) -> str:
    return f"{resource.kind} in version {quoted(resource.version)} cannot be handled as a {resource.kind}: {why}"


def _check_identity(resource: Resource, given: Object) -> None:
    api_version, kind = given.get("apiVersion"), given.get("kind")
    # Client libraries may leave both out; what is there must be right.
    if api_version not in (None, "", resource.api_version):
        raise bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    if kind not in (None, "", resource.kind):
        raise bad_request(f"the kind in the data ({kind}) does not match the expected kind ({resource.kind})")


_decoders: dict[int, tuple[Type, Decoder]] = {}


def _decoder(of: Type) -> Decoder:
    """Types are made once per process, so their identity is their key; the type is kept beside, to stay alive."""
    known = _decoders.get(id(of))
    if known is None:
        known = _decoders[id(of)] = (of, _COMPILE[of.shape](of))
    return known[1]


def _struct(of: Type) -> Decoder:
    decoders: dict[str, tuple[str, Decoder]] = {}
    """With the schema's own name: one string for all objects, where JSON's parser makes one each."""
    fields = {name: (name, below) for name, below in of.fields.items()}
    struct = of.go_name.rpartition(".")[2]

    def decode_struct(value: Any, path: str, state: _Decoding) -> Any:
        if not isinstance(value, dict):
            raise _Misfit(_unmarshal(value, path, _type_word(of.go_name), state))
        result = {}
        for given, below in value.items():
            known = decoders.get(given)
            if known is None:
                if given not in fields:
                    state.unknown.append(f"unknown field {quoted(_join(path, str(given)))}")
                    continue
                name, field_type = fields[given]
                known = decoders[name] = (name, _decoder(field_type))
            if below is not None:
                name, decoder = known
                state.struct = struct
                result[name] = decoder(below, f"{path}.{name}" if path else name, state)
        return result

    return decode_struct


def _map(of: Type) -> Decoder:
    item = of.item

    def decode_map(value: Any, path: str, state: _Decoding) -> Any:
        if not isinstance(value, dict):
            raise _Misfit(_unmarshal(value, path, "map[string]string", state))
        decoder = _decoder(item)
        if item.scalar == "string":
            result = {}
            for name, below in value.items():
                # Go's zero value: a null in a map of strings is the empty string.
                result[name] = "" if below is None else decoder(below, path, state)
            return result
        return {name: decoder(below, _join(path, name), state) for name, below in value.items() if below is not None}

    return decode_map


def _list(of: Type) -> Decoder:
    item = of.item

    def decode_list(value: Any, path: str, state: _Decoding) -> Any:
        if not isinstance(value, list):
            raise _Misfit(_unmarshal(value, path, f"[]{_go_type(item)}", state))
        decoder = _decoder(item)
        empty = _zero(item)
        return [
            decoder(empty if below is None else below, f"{path}[{index}]", state) for index, below in enumerate(value)
        ]

    return decode_list


def _scalar(of: Type) -> Decoder:
    python, scalar = of.python, of.scalar
    bound = _INT_RANGES.get(of.definition.get("format", ""), 2**63)
    go_type = _go_type(of)

    def decode_scalar(value: Any, path: str, state: _Decoding) -> Any:
        if scalar == "integer" and isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, python) or (isinstance(value, bool) and bool not in python):
            raise _Misfit(_unmarshal(value, path, go_type, state))
        if isinstance(value, str):
            return sys.intern(value) if len(value) <= _INTERNED_CHARACTERS else value
        if isinstance(value, int) and not -bound <= value < bound:
            raise _Misfit(_unmarshal(value, path, go_type, state))
        return value

    check = _CHECKS.get(scalar)
    if check is None:
        return decode_scalar
    return lambda value, path, state: check(decode_scalar(value, path, state), path)


def _any(of: Type) -> Decoder:
    return lambda value, path, state: value


def _quantity(value: Any, path: str) -> Any:
    if isinstance(value, str):
        if not _QUANTITY.fullmatch(value.strip()):
            raise _Misfit("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
        return value
    return str(value)


def _time(value: str, path: str) -> str:
    if not _TIME.fullmatch(value):
        layout = "2006-01-02T15:04:05Z07:00"
        raise _Misfit(f'parsing time {quoted(value)} as "{layout}": cannot parse {quoted(value)} as "2006"')
    return value


def _bytes(value: str, path: str) -> str:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _Misfit(f"illegal base64 data at input byte 0 in {path}") from error
    return value


_CHECKS: dict[str, Callable[[Any, str], Any]] = {"quantity": _quantity, "time": _time, "byte": _bytes}
_COMPILE: dict[str, Callable[[Type], Decoder]] = {
    "struct": _struct, "map": _map, "list": _list, "scalar": _scalar, "any": _any,
}  # fmt: skip


def _zero(of: Type) -> Any:
    """What Go makes of a null in a list."""
    if of.shape in ("struct", "map"):
        return {}
    if of.shape == "list":
        return []
    return {"boolean": False, "integer": 0, "number": 0, "int-or-string": 0}.get(of.scalar, "")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _type_word(go_name: str) -> str:
    return go_name or "struct"


def _go_type(of: Type) -> str:
    if of.shape == "list":
        return f"[]{_go_type(of.item)}"
    if of.shape == "map":
        return f"map[string]{_go_type(of.item)}"
    if of.shape == "scalar":
        fmt = of.definition.get("format", "")
        return fmt if fmt in _INT_RANGES else _GO_SCALARS.get(of.scalar, "string")
    return _type_word(of.go_name)


_JSON_WORDS: tuple[tuple[type, str], ...] = (
    (bool, "bool"), (int, "number"), (float, "number"), (str, "string"), (list, "array"), (dict, "object"),
)  # fmt: skip


def _unmarshal(value: Any, path: str, go_type: str, state: _Decoding) -> str:
    word = next((name for kind, name in _JSON_WORDS if isinstance(value, kind)), "null")
    if word == "number":
        word = f"number {str(value)[:_MAX_SHOWN]}"
    plain = _INDEX.sub("", path)
    return f"json: cannot unmarshal {word} into Go struct field {state.struct}.{plain} of type {go_type}"
