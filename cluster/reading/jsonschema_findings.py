"""JSON schema errors in our own sentences. The one door to the packages `jsonschema_rs` and `jsonschema`.

Nearly everything that is checked is right, and `jsonschema_rs` says so in a hundredth of the time; what is wrong, `jsonschema`
finds: it tells places as they are in the data, where the other takes a key "07" for the number 7, and has no limits of
its own.

Understands what the schemas of Kubernetes and of the cluster document are made of: type, properties, required,
additionalProperties: false, items, enum, oneOf of types, minimum, maximum, pattern, minItems.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cluster.reading.findings import Finding, Path, any_of, found, shown, suggestion, type_name

if TYPE_CHECKING:
    import jsonschema_rs

Schema = Mapping[str, Any]

_TYPE_WORDS = {"object": "map", "array": "list"}
_LISTED_AT_MOST = 8
"""So many fields are listed when none is near enough to suggest."""


class Validator:
    """A schema, ready to be asked. `definitions` is what its `$ref`s lead to."""

    def __init__(self, schema: Schema, definitions: Definitions | None = None) -> None:
        # Imported here: commands that validate nothing must not pay for it.
        from jsonschema_rs import Draft202012Validator

        self._schema, self._definitions = schema, definitions
        registry = None if definitions is None else definitions.registry
        self._quick = Draft202012Validator(dict(schema), registry=registry)

    def findings(self, data: Any) -> list[Finding]:
        """Everything that is wrong, in the order of the fields; each once."""
        if self._is_right(data):
            return []
        found_here: dict[Finding, None] = {}
        for error in self._thorough.iter_errors(data):
            found_here.update(dict.fromkeys(_translate(error)))
        return list(found_here)

    def _is_right(self, data: Any) -> bool:
        """False also where it cannot be told: of data that is nested too deep, or text that is no Unicode."""
        try:
            return self._quick.is_valid(data)
        except ValueError:
            return False

    @cached_property
    def _thorough(self) -> Any:
        from jsonschema import Draft202012Validator
        from referencing import Registry, Resource

        named = {}
        if self._definitions is not None:
            document = self._definitions.document
            named[document["$id"]] = Resource.from_contents(document)
        return Draft202012Validator(self._schema, registry=Registry().with_resources(named.items()))


class Definitions:
    """A document of many schemas that refer to each other, with its own `$id`, and `$defs` by name."""

    def __init__(self, document: Schema) -> None:
        self.document = dict(document)

    @cached_property
    def registry(self) -> jsonschema_rs.Registry:
        from jsonschema_rs import Draft202012, Registry

        return Registry([(self.document["$id"], self.document)], draft=Draft202012)

    def validator(self, name: str) -> Validator:
        return Validator({"$ref": f"{self.document['$id']}#/$defs/{name}"}, self)


def _translate(error: Any) -> Iterator[Finding]:
    path: Path = tuple(error.absolute_path)
    value, rule = error.instance, error.validator_value
    if error.validator == "additionalProperties":
        yield from _unknown_fields(path, value, error.schema["properties"])
    elif error.validator == "required":
        for name in rule:
            if name not in value:
                yield Finding((*path, name), "found nothing; must be set")
    elif error.validator in ("type", "oneOf"):
        yield Finding(path, _wrong_type(value, _types(error.schema)))
    elif error.validator == "enum":
        yield Finding(path, found(value, any_of(rule) + suggestion(str(value), rule)))
    elif error.validator == "pattern":
        yield Finding(path, found(value, error.schema.get("description", f"must match {rule}")))
    elif error.validator in _LIMITS:
        yield Finding(path, found(value, _LIMITS[error.validator].format(rule)))
    else:
        raise NotImplementedError(f"no sentence for the schema keyword {error.validator!r} at {path}")


_LIMITS = {
    "minimum": "must be greater than or equal to {}",
    "maximum": "must be less than or equal to {}",
    "exclusiveMinimum": "must be greater than {}",
    "minItems": "must have at least {} item",
}


def _unknown_fields(path: Path, value: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Finding]:
    for name in value:
        if name not in known:
            hint = suggestion(name, known)
            if not hint and len(known) <= _LISTED_AT_MOST:
                hint = "; known here: " + ", ".join(known)
            yield Finding((*path, name), f"unknown field '{name}'{hint}")


def _types(schema: Schema) -> list[str]:
    """The types that a schema admits, without null: in a manifest, null is the same as leaving the field out."""
    alternatives = schema.get("oneOf", [schema])
    types: list[str] = []
    for alternative in alternatives:
        own = alternative["type"]
        types += own if isinstance(own, list) else [own]
    return [_TYPE_WORDS.get(name, name) for name in dict.fromkeys(types) if name != "null"]


def _wrong_type(value: Any, types: list[str]) -> str:
    wanted = " or ".join(f"{'an' if name[0] in 'aeiou' else 'a'} {name}" for name in types)
    if isinstance(value, (dict, list)) or value is None:
        return found(value, f"must be {wanted}")
    quoted = f': write "{shown(value)}"' if types == ["string"] else ""
    return f"found {shown(value)} ({type_name(value)}); must be {wanted}{quoted}"
