"""JSON schema errors in our own sentences. The one door to the package `jsonschema`.

Understands what the schemas of Kubernetes and of the cluster document are made of: type, properties, required,
additionalProperties: false, items, enum, oneOf of types, minimum, maximum, pattern, minItems.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.reading.findings import Finding, Path, any_of, found, shown, suggestion, type_name

Schema = Mapping[str, Any]

_TYPE_WORDS = {"object": "map", "array": "list"}
_LISTED_AT_MOST = 8
"""So many fields are listed when none is near enough to suggest."""


class Validator:
    """A schema, ready to be asked. `resources` are the documents that its `$ref`s lead to, by their `$id`."""

    def __init__(self, schema: Schema, resources: Mapping[str, Schema] | None = None) -> None:
        # Imported here: commands that validate nothing must not pay the 60 ms.
        from jsonschema import Draft202012Validator
        from referencing import Registry, Resource

        named = {uri: Resource.from_contents(dict(body)) for uri, body in (resources or {}).items()}
        self._validator = Draft202012Validator(schema, registry=Registry().with_resources(named.items()))

    def findings(self, data: Any) -> list[Finding]:
        """Everything that is wrong, in the order of the fields; each once."""
        found_here: dict[Finding, None] = {}
        for error in self._validator.iter_errors(data):
            found_here.update(dict.fromkeys(_translate(error)))
        return list(found_here)


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
