"""load and dns: requests from a pod, at a rate or as fast as they are answered (programs.http_load, programs.dns_load)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from cluster.reading.findings import Finding
from experiments.scripted import values
from experiments.scripted.scene import Course, Scene
from experiments.scripted.steps.step import Figure, Outcome
from experiments.scripted.values import Schema, Target, record

DEFAULT_S, PATIENCE_S = 5.0, 2.0
_PACE: dict[str, Schema] = {
    "rate": values.POSITIVE,
    "concurrency": values.COUNT,
    "duration": values.DURATION,
    "timeout": values.DURATION,
    "family": values.FAMILY,
}

_FIGURES = (
    Figure("rate", "1/s", "higher", "requests answered per second"),
    Figure("requests", "count", None, "requests made"),
    Figure("failed", "count", "lower", "requests that were not answered, or not with success"),
    Figure("failed_ratio", "ratio", "lower", "requests that failed, of all that were made"),
    Figure("latency_p50", "s", "lower", "time to the answer, median; at a rate it counts from when a request was due"),
    Figure("latency_p90", "s", "lower", "time to the answer, 90th percentile"),
    Figure("latency_p99", "s", "lower", "time to the answer, 99th percentile"),
    Figure("latency_max", "s", "lower", "time to the answer, longest"),
    Figure("outage", "s", "lower", "longest time in which every request failed"),
)
_ANSWERS = (
    Figure("endpoints", "count", None, "how many different names answered"),
    Figure("fairness", "ratio", "higher", "Jain's index of requests over the names that answered: 1 is even"),
)


@dataclass(frozen=True, slots=True)
class Pace:
    """`rate` a second, or, without one, `concurrency` at a time; each may take `patience_s`."""

    rate: float | None
    concurrency: int
    seconds: float
    patience_s: float

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Pace:
        return cls(
            data.get("rate"), data.get("concurrency", 1), values.seconds(data.get("duration", DEFAULT_S)),
            values.seconds(data.get("timeout", PATIENCE_S)),
        )  # fmt: skip

    @staticmethod
    def findings(data: Mapping[str, Any]) -> Iterator[Finding]:
        if "rate" in data and "concurrency" in data:
            yield Finding(("concurrency",), "found both 'rate' and 'concurrency'; must be one of them")

    def options(self) -> dict[str, Any]:
        return {
            "rate": self.rate, "concurrency": self.concurrency, "seconds": self.seconds,
            "patience_s": self.patience_s,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Load:
    """Requests over HTTP from a pod to a Service, a machine or an address."""

    KIND: ClassVar[str] = "load"
    TEXT: ClassVar[str] = "Requests over HTTP: how many are answered, how fast, who answers."
    SCHEMA: ClassVar[Schema] = record(
        {
            "from": values.MACHINE,
            "to": values.DESTINATION,
            "port": values.PORT,
            "path": values.TEXT,
            "host": values.TEXT,
            "connections": values.one_of("new", "kept"),
            **_PACE,
        },
        required=("from", "to"),
    )

    source: Target
    to: Target
    port: int | None
    path: str
    host: str | None
    connections: str
    family: str | None
    pace: Pace

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Load:
        return cls(
            Target(data["from"]), Target(data["to"]), data.get("port"), data.get("path", "/hostname"), data.get("host"),
            data.get("connections", "new"), data.get("family"), Pace.parse(data),
        )  # fmt: skip

    @classmethod
    def findings(cls, data: Mapping[str, Any]) -> Iterator[Finding]:
        yield from Pace.findings(data)
        if not str(data.get("path", "/")).startswith("/"):
            yield Finding(("path",), f"found '{data['path']}'; must begin with '/'")
        if "to" in data and "port" not in data and Target(data["to"]).kind != "service":
            yield Finding(("port",), "found nothing; must be set where 'to' is not a Service")

    def figures(self) -> tuple[Figure, ...]:
        return (*_FIGURES, *_ANSWERS)

    def seconds(self) -> float:
        return self.pace.seconds

    def run(self, scene: Scene, course: Course) -> Outcome:
        address, port = scene.front(self.to, self.port, self.family)
        host = self.host or (f"[{address}]" if address.version == 6 else str(address))
        options = {
            "address": str(address), "port": port, "path": self.path, "host": host, "connections": self.connections,
        }  # fmt: skip
        return scene.ask("http_load", self.source, {**options, **self.pace.options()}, course)


@dataclass(frozen=True, slots=True)
class Dns:
    """Questions from a pod to the cluster's DNS, or to another server."""

    KIND: ClassVar[str] = "dns"
    TEXT: ClassVar[str] = "Questions to a DNS server: how many are answered, how fast."
    SCHEMA: ClassVar[Schema] = record(
        {
            "from": values.MACHINE,
            "to": values.DESTINATION,
            "port": values.PORT,
            "names": values.list_of(values.TEXT, at_least=1),
            "type": values.one_of("A", "AAAA"),
            **_PACE,
        },
        required=("from", "names"),
    )

    source: Target
    to: Target
    port: int
    names: tuple[str, ...]
    type: str
    family: str | None
    pace: Pace

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Dns:
        return cls(
            Target(data["from"]), Target(data.get("to", "service/kube-system/kube-dns")), data.get("port", 53),
            tuple(data["names"]), data.get("type", "A"), data.get("family"), Pace.parse(data),
        )  # fmt: skip

    @classmethod
    def findings(cls, data: Mapping[str, Any]) -> Iterator[Finding]:
        yield from Pace.findings(data)

    def figures(self) -> tuple[Figure, ...]:
        return _FIGURES

    def seconds(self) -> float:
        return self.pace.seconds

    def run(self, scene: Scene, course: Course) -> Outcome:
        address, port = scene.front(self.to, self.port, self.family)
        options = {"address": str(address), "port": port, "names": list(self.names), "type": self.type}
        return scene.ask("dns_load", self.source, {**options, **self.pace.options()}, course)
