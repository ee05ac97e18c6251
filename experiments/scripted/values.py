"""What values in an experiment look like, in the words of `format` in its schema, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cluster import go_duration
from cluster.reading.findings import Finding, Path, found
from cluster.reading.quantities import bandwidth_mbps, loss_percent, time_ms
from cluster.reading.syntax import DNS_LABEL_RULE, is_dns_label

Schema = dict[str, Any]

DURATION: Schema = {"type": ["number", "string"], "format": "duration"}
BANDWIDTH: Schema = {"type": ["number", "string"], "format": "bandwidth"}
DELAY: Schema = {"type": ["number", "string"], "format": "delay"}
LOSS: Schema = {"type": ["number", "string"], "format": "loss"}
NAME: Schema = {"type": "string", "format": "name"}
FIGURE: Schema = {"type": "string", "format": "figure"}
MACHINE: Schema = {"type": "string", "format": "machine"}
"""Where a process can run: POD, NAMESPACE/POD, node/NAME, client/NAME, or KIND/[NAMESPACE/]NAME of what makes pods."""
DESTINATION: Schema = {"type": "string", "format": "destination"}
"""The same, or service/[NAMESPACE/]NAME, or an address."""
TEXT: Schema = {"type": "string"}
WORD: Schema = {"type": ["string", "integer"]}
"""Of a command: a number is one, too, since a parameter may be."""
FLAG: Schema = {"type": "boolean"}
PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
FAMILY: Schema = {"type": "string", "enum": ["ipv4", "ipv6"]}
COUNT: Schema = {"type": "integer", "minimum": 1}
NATURAL: Schema = {"type": "integer", "minimum": 0}
POSITIVE: Schema = {"type": "number", "exclusiveMinimum": 0}

DURATION_RULE = "must be a duration: seconds as a number, or '500ms', '2s', '1m30s'"
WORKLOADS = ("deployment", "statefulset", "daemonset", "replicaset", "job")
SERVICE, NODE, CLIENT = "service", "node", "client"
_MACHINE = re.compile(r"([a-z0-9.-]+/){0,2}[a-z0-9.-]+")
_FIGURE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def record(fields: Mapping[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object", "properties": dict(fields), "required": list(required), "additionalProperties": False,
    }  # fmt: skip


def list_of(item: Schema, at_least: int = 0) -> Schema:
    return {"type": "array", "items": item, **({"minItems": at_least} if at_least else {})}


def one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def seconds(value: Any) -> float:
    """Raises ValueError with the sentence that says what would be right."""
    try:
        read = float(value) if isinstance(value, (int, float)) else go_duration.seconds(value)
    except ValueError as error:
        raise ValueError(DURATION_RULE) from error
    if read < 0:
        raise ValueError(DURATION_RULE)
    return read


def _named(value: Any) -> None:
    if not is_dns_label(value):
        raise ValueError(DNS_LABEL_RULE)


def _figure(value: Any) -> None:
    if not _FIGURE.fullmatch(value):
        raise ValueError("must be letters, digits, '-' and '_', beginning with a letter")


def _machine(value: Any) -> None:
    if not _MACHINE.fullmatch(value):
        raise ValueError("must be POD, NAMESPACE/POD, node/NAME, client/NAME or deployment/[NAMESPACE/]NAME")


def _destination(value: Any) -> None:
    if not _MACHINE.fullmatch(value) and ":" not in value:
        raise ValueError(
            "must be service/[NAMESPACE/]NAME, POD, NAMESPACE/POD, node/NAME, client/NAME, "
            "deployment/[NAMESPACE/]NAME or an address"
        )


FORMATS: Mapping[str, Callable[[Any], Any]] = {
    "duration": seconds,
    "bandwidth": bandwidth_mbps,
    "delay": time_ms,
    "loss": loss_percent,
    "name": _named,
    "figure": _figure,
    "machine": _machine,
    "destination": _destination,
}
"""Each raises ValueError with the sentence that says what would be right."""


def format_findings(schema: Mapping[str, Any], value: Any, path: Path = ()) -> Iterator[Finding]:
    """Values of the right type that do not look as their `format` says; others are the schema's to find."""
    for place, format, text in formatted(schema, value, path):
        try:
            FORMATS[format](text)
        except ValueError as error:
            yield Finding(place, found(text, str(error)))


def formatted(schema: Mapping[str, Any], value: Any, path: Path = ()) -> Iterator[tuple[Path, str, Any]]:
    """(where, format, value) of every value that the schema gives a format."""
    if isinstance(value, dict):
        for key, below in schema.get("properties", {}).items():
            if key in value:
                yield from formatted(below, value[key], (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from formatted(schema.get("items", {}), item, (*path, index))
    elif "format" in schema and value is not None and not isinstance(value, bool):
        yield path, schema["format"], value


class Target(str):
    """A machine or destination as written: "shop/web-1", "node/worker", "deployment/shop/web", "service/web"."""

    __slots__ = ()

    @property
    def kind(self) -> str:
        """"pod", "node", "client", "service", a workload's kind in lower case, or "address"."""
        if ":" in self or re.fullmatch(r"[\d.]+", self):
            return "address"
        first, slash, _ = self.partition("/")
        return first if slash and first in (NODE, CLIENT, SERVICE, *WORKLOADS) else "pod"

    @property
    def namespace(self) -> str:
        """Of what is in one."""
        before, slash, _ = self._path.rpartition("/")
        return before if slash else "default"

    @property
    def name(self) -> str:
        return self._path.rpartition("/")[2]

    @property
    def _path(self) -> str:
        return str(self) if self.kind in ("pod", "address") else self.partition("/")[2]
