"""The fields of an experiment as JSON schemas: what the parser goes by, and the whole as it is published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.reading.config_fields import API_VERSION
from experiments.scripted import values
from experiments.scripted.placed import VARIABLE
from experiments.scripted.steps.kinds import KINDS
from experiments.scripted.values import Schema, list_of, record

KIND = "Experiment"
MAX_REPETITIONS = 1000
SHARED, FRESH = "shared", "fresh"

STEP = record(
    {
        "name": values.NAME,
        "at": values.TEXT,
        "during": values.TEXT,
        **{word: action.SCHEMA for word, action in KINDS.items()},
    },
    required=("name",),
)
_NUMBER: Schema = {"type": "number"}

RENDERED: Mapping[str, Schema] = {
    "files": list_of(values.TEXT),
    "manifests": list_of({"type": "object"}),
    "steps": list_of(STEP, at_least=1),
}
"""What may differ from arm to arm: here variables are replaced."""

_ARM = record({"name": values.NAME, "set": {"type": "object"}}, required=("name",))
_RATIO = record(
    {"name": values.TEXT, "figure": values.TEXT, "of": values.TEXT, "over": values.TEXT},
    required=("figure", "of", "over"),
)
_EXPECT = record(
    {
        "text": values.TEXT,
        "figure": values.TEXT,
        "ratio": values.TEXT,
        "of": values.one_of("each", "median"),
        "arm": values.TEXT,
        "where": {"type": "object"},
        "atLeast": _NUMBER,
        "atMost": _NUMBER,
    }
)

STATIC: Mapping[str, Schema] = {
    "title": values.TEXT,
    "question": values.TEXT,
    "method": values.TEXT,
    "seed": values.NATURAL,
    "repetitions": {"type": "integer", "minimum": 1, "maximum": MAX_REPETITIONS},
    "testbed": values.one_of(FRESH, SHARED),
    "samples": record({"every": values.DURATION}),
    "parameters": {"type": "object", "additionalProperties": {"type": "array", "minItems": 1}},
    "arms": list_of(_ARM, at_least=1),
    "figures": list_of(values.TEXT),
    "ratios": list_of(_RATIO),
    "expect": list_of(_EXPECT),
}
"""What is the same for all runs."""

_METADATA = record({"name": values.NAME}, required=("name",))


def frame() -> Schema:
    """The document before variables are replaced: what they may stand in is anything."""
    anything: dict[str, Schema] = {name: {} for name in RENDERED}
    spec = record({**STATIC, **anything}, required=("steps",))
    return record(
        {"apiVersion": {"type": "string", "enum": [API_VERSION]}, "kind": values.TEXT, "metadata": _METADATA, "spec": spec},
        required=("apiVersion", "metadata", "spec"),
    )


def published() -> dict[str, Any]:
    """The schema for editors: as the file is written, with `${{ name }}` wherever something else may stand."""
    spec = record({**STATIC, **{word: _or_variable(schema) for word, schema in RENDERED.items()}}, required=("steps",))
    document = record(
        {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": KIND},
            "metadata": _METADATA,
            "spec": spec,
        },
        required=("apiVersion", "kind", "metadata", "spec"),
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An experiment of Mininetes",
        "description": "docs/experiments.md says what the fields mean; a file may hold other documents, the spec.",
        **_without_formats(document),
        "$defs": {"variable": {"type": "string", "pattern": VARIABLE.pattern}},
    }


def _or_variable(schema: Schema) -> Schema:
    if "properties" in schema:
        inner = {**schema, "properties": {word: _or_variable(below) for word, below in schema["properties"].items()}}
    elif "items" in schema:
        inner = {**schema, "items": _or_variable(schema["items"])}
    else:
        inner = schema
    return {"anyOf": [inner, {"$ref": "#/$defs/variable"}]}


def _without_formats(schema: Any) -> Any:
    """`format` is ours, and would mean nothing to others."""
    if isinstance(schema, dict):
        return {
            word: {name: _without_formats(each) for name, each in below.items()} if word == "properties"
            else _without_formats(below)
            for word, below in schema.items() if word != "format"
        }  # fmt: skip
    return [_without_formats(each) for each in schema] if isinstance(schema, list) else schema
