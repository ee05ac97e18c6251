"""Bodies in Kubernetes' protobuf form, which newer kubectl sends for what it makes itself (`kubectl create deployment`).

They are read, never written: every client that sends protobuf takes JSON for an answer. Which number is which field
stands in protobuf_fields.json: type -> number -> field, the types by their names in the OpenAPI document, from where
everything else about a field is known. A number with fields of its own is a part that JSON has no level for. Numbers are
those of the generated.proto files of k8s.io/api and k8s.io/apimachinery; they never change, and new ones are passed
over, as protobuf has it.

https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from cluster import kinds

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"

_MAGIC = b"k8s\x00"
_TYPE_META, _RAW = 1, 2
_API_VERSION, _KIND = 1, 2
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_DELETE_OPTIONS = f"{_META}DeleteOptions"
_REFERENCE = "#/$defs/"
_SIGN_BIT, _WORD = 1 << 63, 1 << 64

_KEPT_ZEROS = frozenset((
    "activeDeadlineSeconds", "allocateLoadBalancerNodePorts", "allowPrivilegeEscalation", "automountServiceAccountToken",
    "averageUtilization", "backoffLimit", "blockOwnerDeletion", "completions", "controller", "enableServiceLinks",
    "expirationSeconds", "failedJobsHistoryLimit", "fsGroup", "gracePeriodSeconds", "hostUsers", "immutable",
    "minReplicas", "optional", "orphanDependents", "parallelism", "privileged", "readOnlyRootFilesystem", "replicas",
    "revisionHistoryLimit", "runAsGroup", "runAsNonRoot", "runAsUser", "shareProcessNamespace", "startingDeadlineSeconds",
    "storageClassName", "successfulJobsHistoryLimit", "suspend", "terminationGracePeriodSeconds", "tolerationSeconds",
    "ttlSecondsAfterFinished",
))  # fmt: skip
"""Fields that are there with a zero: pointers in Go. Other zeros are what Go writes for a field that nobody set."""

Schema = Mapping[str, Any]
Fields = Mapping[str, Any]


class ProtobufError(ValueError):
    """The body is not what it says it is, or of a kind that is not read in this form."""


def decode(body: bytes) -> dict[str, Any]:
    """The object in its JSON form. Raises ProtobufError."""
    if not body.startswith(_MAGIC):
        raise ProtobufError("the body does not begin as Kubernetes' protobuf does")
    try:
        unknown = dict(_fields(body[len(_MAGIC) :]))
        type_meta = dict(_fields(unknown[_TYPE_META]))
        api_version, kind = type_meta[_API_VERSION].decode(), type_meta[_KIND].decode()
        name = _DELETE_OPTIONS if kind == "DeleteOptions" else kinds.definition_names().get((api_version, kind), "")
        if name not in _table():
            raise ProtobufError(f"{kind} of {api_version} is not read as protobuf: send JSON")
        return {"apiVersion": api_version, "kind": kind, **_message(name, unknown.get(_RAW, b""))}
    except (KeyError, IndexError, AttributeError, TypeError, struct.error, UnicodeDecodeError, RecursionError) as error:
        raise ProtobufError(f"the body is no valid protobuf: {error!r}") from error


@cache
def _table() -> Mapping[str, Fields]:
    loaded: Mapping[str, Fields] = json.loads((Path(__file__).parent / "protobuf_fields.json").read_bytes())
    return loaded


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) in order: an int, or bytes. Raises IndexError where the data ends too early."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, wire_type = key >> 3, key & 7
        if wire_type == 0:
            value, place = _varint(data, place)
            yield number, value
            continue
        if wire_type not in (1, 2, 5):
            raise ProtobufError(f"the body is no valid protobuf: wire type {wire_type}")
        length = {1: 8, 5: 4}.get(wire_type, 0)
        if wire_type == 2:
            length, place = _varint(data, place)
        if place + length > len(data):
            raise IndexError("a field that is longer than its message")
        yield number, data[place : place + length]
        place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
        if shift > 63:
            raise IndexError("a number that does not end")


def _message(name: str, data: bytes) -> dict[str, Any]:
    """A message of the type with this name in the OpenAPI document."""
    found: dict[str, Any] = {}
    _read(_table()[name], kinds.definitions()["$defs"][name]["properties"], data, found)
    return found


def _read(fields: Fields, schemas: Mapping[str, Schema], data: bytes, found: dict[str, Any]) -> None:
    for number, value in _fields(data):
        field = fields.get(str(number))
        if isinstance(field, Mapping):
            _read(field, schemas, value, found)
        elif field is not None:
            _set(found, field, schemas[field], value)


def _set(found: dict[str, Any], field: str, schema: Schema, value: Any) -> None:
    kind = _type(schema)
    if kind == "array":
        found.setdefault(field, []).append(_value(schema["items"], value))
    elif kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        entry = dict(_fields(value))
        key, item_schema = entry.get(1, b"").decode(), schema["additionalProperties"]
        found.setdefault(field, {})[key] = _map_item(item_schema, entry.get(2, b""))
    else:
        decoded = _value(schema, value)
        if decoded not in (0, "", False, None) or (field in _KEPT_ZEROS and decoded is not None):
            found[field] = decoded


def _map_item(schema: Schema, value: bytes) -> Any:
    """A list in a map is a message of its own, as authentication's ExtraValue is: its items are in field 1."""
    if _type(schema) == "array":
        return [_value(schema["items"], item) for _, item in _fields(value)]
    return _value(schema, value)


def _value(schema: Schema, value: Any) -> Any:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        special = _SPECIAL.get(name)
        return _message(name, value) if special is None else special(dict(_fields(value)))
    kind = _type(schema)
    if kind == "boolean":
        return bool(value)
    if kind == "integer":
        return value - _WORD if value & _SIGN_BIT else value
    if kind == "number":
        return struct.unpack("<d", value)[0]
    return base64.b64encode(value).decode() if schema.get("format") == "byte" else value.decode()


def _type(schema: Schema) -> str:
    kind = schema.get("type", "")
    return str(kind[0] if isinstance(kind, list) else kind)


def _time(fields: Mapping[int, Any]) -> str | None:
    return _timestamp(fields, "seconds")


def _micro_time(fields: Mapping[int, Any]) -> str | None:
    return _timestamp(fields, "microseconds")


def _timestamp(fields: Mapping[int, Any], precision: str) -> str | None:
    """Nothing in it: a time that is not set."""
    if not fields:
        return None
    at = datetime.fromtimestamp(fields.get(1, 0) + fields.get(2, 0) / 1e9, timezone.utc)
    return at.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def _quantity(fields: Mapping[int, Any]) -> str:
    return str(fields.get(1, b"0").decode())


def _int_or_string(fields: Mapping[int, Any]) -> int | str:
    """type: 0 is a number, in field 2; 1 a string, in field 3."""
    if fields.get(1):
        return str(fields.get(3, b"").decode())
    number: int = fields.get(2, 0)
    return number - _WORD if number & _SIGN_BIT else number


def _raw_json(fields: Mapping[int, Any]) -> Any:
    return json.loads(fields.get(1) or b"null")


_SPECIAL = {
    f"{_META}Time": _time,
    f"{_META}MicroTime": _micro_time,
    f"{_META}FieldsV1": _raw_json,
    "io.k8s.apimachinery.pkg.api.resource.Quantity": _quantity,
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "io.k8s.apimachinery.pkg.runtime.RawExtension": _raw_json,
}
"""Types that are one value in JSON."""
