"""The types of Kubernetes as OpenAPI describes them, version 2 and 3.

The validation schemas that are at hand were made from the real server's OpenAPI, stricter and with nulls allowed; this
is the way back (k8s.io/kube-openapi, schemaconv).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cluster import kinds

Schema = dict[str, Any]

_DEFINITION = "#/$defs/"
_V2 = "#/definitions/"
_V3 = "#/components/schemas/"

_SPECIAL_V2: Mapping[str, Schema] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string"},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": "string", "format": "int-or-string"},
}
_SPECIAL_V3: Mapping[str, Schema] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
        "oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string",
    },
}  # fmt: skip
_IDENTITY = ("apiVersion", "kind")


def v2() -> dict[str, Schema]:
    """All definitions, by name."""
    return {name: _special(name, schema, _SPECIAL_V2) or _plain(schema) for name, schema in _definitions().items()}


def v3(names: frozenset[str]) -> dict[str, Schema]:
    """These definitions and all that they need."""
    known = _definitions()
    needed: dict[str, None] = {}
    open_names = sorted(names)
    while open_names:
        name = open_names.pop()
        if name not in needed:
            needed[name] = None
            open_names += _references(known[name])
    return {name: _special(name, known[name], _SPECIAL_V3) or _in_v3(_plain(known[name])) for name in sorted(needed)}


def _definitions() -> Mapping[str, Schema]:
    found: Mapping[str, Schema] = kinds.definitions()["$defs"]
    return found


def _special(name: str, schema: Schema, special: Mapping[str, Schema]) -> Schema | None:
    return {"description": schema.get("description", ""), **special[name]} if name in special else None


def _plain(schema: Schema) -> Schema:
    """In version 2's form: one type each, references to definitions, objects open."""
    plain: Schema = {}
    for key, value in schema.items():
        if key == "type":
            plain[key] = value[0] if isinstance(value, list) else value
        elif key == "$ref":
            plain[key] = value.replace(_DEFINITION, _V2)
        elif key == "properties":
            plain[key] = {name: _property(name, below) for name, below in value.items()}
        elif key == "items" or (key == "additionalProperties" and isinstance(value, dict)):
            plain[key] = _plain(value)
        elif key != "additionalProperties":
            plain[key] = value
    return plain


def _property(name: str, schema: Schema) -> Schema:
    plain = _plain(schema)
    if name in _IDENTITY:
        plain.pop("enum", None)  # made for validation; the real documents leave it to the kind's own extension
    return plain


def _in_v3(schema: Schema) -> Schema:
    """A reference may not have siblings there, so that one with a description becomes allOf."""
    changed: Schema = {}
    for key, value in schema.items():
        if key == "$ref":
            reference = {"$ref": value.replace(_V2, _V3)}
            changed.update(reference if len(schema) == 1 else {"allOf": [reference], "default": {}})
        elif key == "properties":
            changed[key] = {name: _in_v3(below) for name, below in value.items()}
        elif key in ("items", "additionalProperties"):
            changed[key] = _in_v3(value)
        else:
            changed[key] = value
    return changed


def _references(schema: Schema) -> Iterator[str]:
    """The names of the definitions that a schema mentions."""
    for key, value in schema.items():
        if key == "$ref":
            yield value.removeprefix(_DEFINITION)
        elif key == "properties":
            for below in value.values():
                yield from _references(below)
        elif isinstance(value, dict):
            yield from _references(value)
