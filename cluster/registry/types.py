"""The types of the API, as patches, apply and decoding need them: read from the schemas once, on first use.

The schemas carry Kubernetes' own annotations (x-kubernetes-…), so no list's merge key is written down here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

from cluster import kinds
from cluster.resources import Resource

Shape = Literal["struct", "map", "list", "scalar", "any"]

_ANYTHING = frozenset((
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
    "io.k8s.apimachinery.pkg.runtime.RawExtension",
))  # fmt: skip
_TIMES = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "time",
}
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_PYTHON: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "time": (str,), "byte": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float),
    "quantity": (str, int, float), "int-or-string": (int, str),
}  # fmt: skip


@dataclass(frozen=True)
class Type:
    """One type where it is used: the annotations of the field that holds it win over the type's own.

    `scalar` is a word of _PYTHON; `go_name` is what messages call a struct ("Container").
    """

    shape: Shape
    definition: Mapping[str, Any]
    scalar: str = ""
    go_name: str = ""
    list_type: str = "atomic"
    map_keys: tuple[str, ...] = ()
    is_atomic: bool = False
    patch_strategy: frozenset[str] = frozenset()
    merge_key: str = ""

    @cached_property
    def fields(self) -> Mapping[str, Type]:
        """Of a struct."""
        return {name: _field(schema) for name, schema in self.definition.get("properties", {}).items()}

    @cached_property
    def required(self) -> tuple[str, ...]:
        return tuple(self.definition.get("required", ()))

    @cached_property
    def item(self) -> Type:
        """Of a list or a map."""
        schema = self.definition.get("items") or self.definition.get("additionalProperties") or {}
        return _field(schema)

    @cached_property
    def python(self) -> tuple[type, ...]:
        return _PYTHON[self.scalar]

    def below(self, name: str) -> Type:
        """The type of one field or value; ANY where the schema knows nothing."""
        if self.shape == "struct":
            return self.fields.get(name, ANY)
        return self.item if self.shape == "map" else ANY

    @cached_property
    def default_keys(self) -> Mapping[str, Any]:
        """Values of the keys of a list's items that may be left out (ports' protocol)."""
        return {"protocol": "TCP"} if "protocol" in self.map_keys else {}


ANY = Type("any", {})


@cache
def of(resource: Resource) -> Type:
    """The type of a resource's objects."""
    return _named(kinds.definition_names()[resource.api_version, resource.kind])


@cache
def _named(name: str) -> Type:
    definition = kinds.definitions()["$defs"][name]
    if name in _ANYTHING or not definition:
        return ANY
    if name in _TIMES:
        return Type("scalar", definition, _TIMES[name])
    if name == _QUANTITY:
        return Type("scalar", definition, "quantity")
    if name == _INT_OR_STRING:
        return Type("scalar", definition, "int-or-string")
    return _of_schema(definition, name)


def _field(schema: Mapping[str, Any]) -> Type:
    if "$ref" not in schema:
        return _of_schema(schema, "")
    named = _named(schema["$ref"].rpartition("/")[2])
    own = {key for key in schema if key.startswith("x-kubernetes-")}
    if not own or named.shape == "any":
        return named
    merged = {**named.definition, **{key: schema[key] for key in own}}
    return Type(**{**_annotations(merged), **_base(named), "definition": merged})


def _base(named: Type) -> dict[str, Any]:
    return {"shape": named.shape, "scalar": named.scalar, "go_name": named.go_name}


def _of_schema(schema: Mapping[str, Any], name: str) -> Type:
    go_name = ".".join(name.rsplit(".", 2)[-2:])
    word = schema.get("type")
    word = word[0] if isinstance(word, list) else word
    if word == "array":
        return Type("list", schema, **_annotations(schema))
    if "properties" in schema:
        return Type("struct", schema, go_name=go_name, **_annotations(schema))
    if word == "object":
        shape: Shape = "map" if isinstance(schema.get("additionalProperties"), Mapping) else "any"
        shape = "struct" if name and shape == "any" else shape  # an empty struct, such as EmptyDir's medium-less peers
        return Type(shape, schema, go_name=go_name, **_annotations(schema))
    if word in ("string", "integer", "number", "boolean"):
        scalar = "byte" if schema.get("format") == "byte" else word
        return Type("scalar", schema, scalar)
    return ANY


def _annotations(schema: Mapping[str, Any]) -> dict[str, Any]:
    strategy = schema.get("x-kubernetes-patch-strategy", "")
    return {
        "list_type": schema.get("x-kubernetes-list-type", "atomic"),
        "map_keys": tuple(schema.get("x-kubernetes-list-map-keys", ())),
        "is_atomic": schema.get("x-kubernetes-map-type") == "atomic",
        "patch_strategy": frozenset(filter(None, strategy.split(","))),
        "merge_key": schema.get("x-kubernetes-patch-merge-key", ""),
    }
