"""OpenAPI version 2 in protobuf, the only form that kubectl before 1.27 asks for.

The messages are those of google/gnostic, openapiv2/OpenAPIv2.proto, as far as a Kubernetes document has them. The wire
format (protobuf.dev/programming-guides/encoding) has two kinds of field here: numbers, and bytes with their length.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
ACCEPTED = (CONTENT_TYPE, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
"""The form by its name, and by the older one, which is none that a Content-Type may have (RFC 6838, section 4.2)."""

_VARINT, _LENGTH_DELIMITED = 0, 2

Encode = Callable[[int, Any], bytes]
"""(field number, value) -> the field, with its tag."""
Message = Mapping[str, tuple[int, Encode]]
"""Key in the JSON document -> field number, how to encode it."""


def document(value: Mapping[str, Any]) -> bytes:
    return _body(_DOCUMENT, value)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _delimited(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _string(number: int, value: str) -> bytes:
    return _delimited(number, value.encode())


def _strings(number: int, values: Sequence[str]) -> bytes:
    return b"".join(_string(number, value) for value in values)


def _boolean(number: int, value: bool) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(int(value))


def _any(number: int, value: Any) -> bytes:
    """message Any: the value as YAML (JSON is), in field 2."""
    return _delimited(number, _string(2, json.dumps(value)))


def _anys(number: int, values: Sequence[Any]) -> bytes:
    return b"".join(_any(number, value) for value in values)


def _named(number: int, name: str, value: bytes) -> bytes:
    """One entry of a map: name in field 1, message in field 2."""
    return _delimited(number, _string(1, name) + _delimited(2, value))


def _body(message: Message, value: Mapping[str, Any]) -> bytes:
    """The fields of a message; keys that start with x- become vendor extensions."""
    parts = []
    for key, below in value.items():
        if key in message:
            number, encode = message[key]
            parts.append(encode(number, below))
        elif key.startswith("x-"):
            parts.append(_named(message["x-"][0], key, _string(2, json.dumps(below))))
        else:
            raise ValueError(f"no field of OpenAPI version 2: {key}")
    return b"".join(parts)


def _schema(number: int, value: Mapping[str, Any]) -> bytes:
    return _delimited(number, _body(_SCHEMA, value))


def _wrapped(encode: Encode) -> Encode:
    """A message that holds the value in its field 1."""
    return lambda number, value: _delimited(number, encode(1, value))


def _schemas(number: int, values: Mapping[str, Any]) -> bytes:
    """Definitions, Properties: a list of named schemas in field 1."""
    return _delimited(number, b"".join(_named(1, name, _body(_SCHEMA, below)) for name, below in values.items()))


def _type(number: int, value: str) -> bytes:
    return _delimited(number, _string(1, value))


def _paths(number: int, values: Mapping[str, Any]) -> bytes:
    return _delimited(number, b"".join(_named(2, path, _body(_PATH_ITEM, item)) for path, item in values.items()))


def _operation(number: int, value: Mapping[str, Any]) -> bytes:
    return _delimited(number, _body(_OPERATION, value))


def _parameters(number: int, values: Sequence[Mapping[str, Any]]) -> bytes:
    """ParametersItem > Parameter > NonBodyParameter > the message of where the parameter stands."""
    encoded = []
    for value in values:
        kind, message = _PARAMETERS[value["in"]]
        inner = _delimited(kind, _body(message, value))
        encoded.append(_delimited(number, _delimited(1, _delimited(2, inner))))
    return b"".join(encoded)


def _responses(number: int, values: Mapping[str, Any]) -> bytes:
    """Responses > NamedResponseValue > ResponseValue > Response."""
    named = (_named(1, code, _delimited(1, _body(_RESPONSE, value))) for code, value in values.items())
    return _delimited(number, b"".join(named))


def _info(number: int, value: Mapping[str, Any]) -> bytes:
    return _delimited(number, _body(_INFO, value))


_INFO: Message = {"title": (1, _string), "version": (2, _string)}
_RESPONSE: Message = {"description": (1, _string)}
_SCHEMA: Message = {
    "$ref": (1, _string),
    "format": (2, _string),
    "description": (4, _string),
    "default": (5, _any),
    "required": (19, _strings),
    "enum": (20, _anys),
    "additionalProperties": (21, _wrapped(_schema)),
    "type": (22, _type),
    "items": (23, _wrapped(_schema)),
    "properties": (25, _schemas),
    "x-": (31, _any),
}
_QUERY_PARAMETER: Message = {
    "required": (1, _boolean), "in": (2, _string), "name": (4, _string), "type": (6, _string),
    "uniqueItems": (20, _boolean),
}  # fmt: skip
_PATH_PARAMETER: Message = {
    "required": (1, _boolean), "in": (2, _string), "name": (4, _string), "type": (5, _string),
    "uniqueItems": (19, _boolean),
}  # fmt: skip
_PARAMETERS: Mapping[str, tuple[int, Message]] = {"query": (3, _QUERY_PARAMETER), "path": (4, _PATH_PARAMETER)}
_OPERATION: Message = {
    "description": (3, _string), "parameters": (8, _parameters), "responses": (9, _responses), "x-": (13, _any),
}  # fmt: skip
_PATH_ITEM: Message = {
    "get": (2, _operation), "put": (3, _operation), "post": (4, _operation), "delete": (5, _operation),
    "patch": (8, _operation), "parameters": (9, _parameters),
}  # fmt: skip
_DOCUMENT: Message = {
    "swagger": (1, _string), "info": (2, _info), "paths": (8, _paths), "definitions": (9, _schemas),
}  # fmt: skip
