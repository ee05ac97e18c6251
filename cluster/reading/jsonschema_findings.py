"""JSON schema errors in our own sentences. The one door to the package `jsonschema_rs`.

Understands what the schemas of Kubernetes and of the cluster document are made of: type, properties, required,
additionalProperties: false, items, enum, oneOf of types, minimum, maximum, pattern, minItems.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cluster.reading.findings import Finding, Path, any_of, found, shown, suggestion, type_name

if TYPE_CHECKING:
    from jsonschema_rs import Registry, ValidationError

Schema = Mapping[str, Any]

_TYPE_WORDS = {"object": "map", "array": "list"}
_LISTED_AT_MOST = 8
"""So many fields are listed when none is near enough to suggest."""


class Validator:
    """A schema, ready to be asked."""

    def __init__(self, schema: Schema, _registry: Registry | None = None, _document: Schema | None = None) -> None:
        # Imported here: commands that validate nothing must not pay for it.
        from jsonschema_rs import Draft202012Validator

        self._document = schema if _document is None else _document
        self._validator = Draft202012Validator(dict(schema), registry=_registry)

    def findings(self, data: Any) -> list[Finding]:
        """Everything that is wrong, in the order of the schema's fields; each once."""
        found_here: dict[Finding, None] = {}
        for error in self._validator.iter_errors(data):
            found_here.update(dict.fromkeys(self._translated(error, data)))
        return list(found_here)

    def _translated(self, error: ValidationError, data: Any) -> Iterator[Finding]:
        *parent, keyword = error.schema_path
        path = tuple(error.instance_path)
        # What is there in `data` itself: the package has its own idea of, say, a number that JSON does not have.
        yield from _translate(str(keyword), _at(self._document, parent), path, _at(data, path))


class Definitions:
    """A document of many schemas that refer to each other, with its own `$id`, and `$defs` by name."""

    def __init__(self, document: Schema) -> None:
        from jsonschema_rs import Draft202012, Registry

        self._document = document
        self._registry = Registry([(document["$id"], dict(document))], draft=Draft202012)

    def validator(self, name: str) -> Validator:
        return Validator({"$ref": f"{self._document['$id']}#/$defs/{name}"}, self._registry, self._document)


def _at(value: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        value = value[step]
    return value


def _translate(keyword: str, schema: Schema, path: Path, value: Any) -> Iterator[Finding]:
    """What is wrong with the value at this path of the data, by that keyword of this schema."""
    rule = schema[keyword]
    if keyword == "additionalProperties":
        yield from _unknown_fields(path, value, schema["properties"])
    elif keyword == "required":
        for name in rule:
            if name not in value:
                yield Finding((*path, name), "found nothing; must be set")
    elif keyword in ("type", "oneOf"):
        yield Finding(path, _wrong_type(value, _types(schema)))
    elif keyword == "enum":
        yield Finding(path, found(value, any_of(rule) + suggestion(str(value), rule)))
    elif keyword == "pattern":
        yield Finding(path, found(value, schema.get("description", f"must match {rule}")))
    elif keyword in _LIMITS:
        yield Finding(path, found(value, _LIMITS[keyword].format(rule)))
    else:
        raise NotImplementedError(f"no sentence for the schema keyword {keyword!r} at {path}")


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
