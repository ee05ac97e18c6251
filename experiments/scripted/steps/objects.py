"""apply, delete, scale, wait: change the cluster through its API, and wait until that is realised."""

from __future__ import annotations

import json
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from cluster.objects import Object
from cluster.reading.findings import Finding
from experiments.scripted import values
from experiments.scripted.scene import Course, Scene
from experiments.scripted.steps.step import Figure, Outcome
from experiments.scripted.values import Schema, record

PATIENCE_S = 60.0
_SETTLED = (Figure("settled", "s", "lower", "until every process and switch held it and every pod was settled"),)


class _Change(ABC):
    """What steps have in common that change objects: they are done when every process and switch holds the change."""

    __slots__ = ()
    timeout_s: float

    @classmethod
    def findings(cls, data: Mapping[str, Any]) -> Iterator[Finding]:
        yield from ()

    def figures(self) -> tuple[Figure, ...]:
        return _SETTLED

    def seconds(self) -> float:
        return 1.0

    def run(self, scene: Scene, course: Course) -> Outcome:
        course.began()
        began = time.monotonic()
        self._change(scene)
        scene.sync(self.timeout_s)
        return Outcome({"settled": time.monotonic() - began})

    @abstractmethod
    def _change(self, scene: Scene) -> None:
        """Raises StepError."""


@dataclass(frozen=True, slots=True)
class Apply(_Change):
    """`manifests` were checked with the file."""

    KIND: ClassVar[str] = "apply"
    TEXT: ClassVar[str] = "Applies manifests; done when they are realised."
    SCHEMA: ClassVar[Schema] = record(
        {"manifests": values.list_of({"type": "object"}, at_least=1), "timeout": values.DURATION}, ("manifests",)
    )

    manifests: tuple[Object, ...]
    timeout_s: float

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Apply:
        return cls(tuple(data["manifests"]), values.seconds(data.get("timeout", PATIENCE_S)))

    def _change(self, scene: Scene) -> None:
        with tempfile.TemporaryDirectory(prefix="mininetes-apply-") as directory:
            path = Path(directory) / "manifests.json"
            path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(self.manifests)}))
            scene.kubectl("apply", "-f", str(path))


@dataclass(frozen=True, slots=True)
class Delete(_Change):
    """One object."""

    KIND: ClassVar[str] = "delete"
    TEXT: ClassVar[str] = "Deletes an object; done when that is realised."
    SCHEMA: ClassVar[Schema] = record(
        {"kind": values.TEXT, "name": values.TEXT, "namespace": values.NAME, "timeout": values.DURATION},
        ("kind", "name"),
    )

    kind: str
    name: str
    namespace: str
    timeout_s: float

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Delete:
        timeout_s = values.seconds(data.get("timeout", PATIENCE_S))
        return cls(data["kind"], data["name"], data.get("namespace", "default"), timeout_s)

    def _change(self, scene: Scene) -> None:
        scene.kubectl("delete", self.kind, self.name, "-n", self.namespace)


@dataclass(frozen=True, slots=True)
class Scale(_Change):
    """How many pods a Deployment, StatefulSet … has."""

    KIND: ClassVar[str] = "scale"
    TEXT: ClassVar[str] = "Sets the number of pods of a Deployment, StatefulSet or ReplicaSet; done when that is realised."
    SCHEMA: ClassVar[Schema] = record(
        {
            "kind": values.one_of("Deployment", "StatefulSet", "ReplicaSet"),
            "name": values.TEXT,
            "namespace": values.NAME,
            "replicas": values.NATURAL,
            "timeout": values.DURATION,
        },
        ("name", "replicas"),
    )

    kind: str
    name: str
    namespace: str
    replicas: int
    timeout_s: float

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Scale:
        return cls(
            data.get("kind", "Deployment"), data["name"], data.get("namespace", "default"), data["replicas"],
            values.seconds(data.get("timeout", PATIENCE_S)),
        )  # fmt: skip

    def seconds(self) -> float:
        return 1.0 + 0.01 * self.replicas

    def _change(self, scene: Scene) -> None:
        scene.kubectl("scale", self.kind.lower(), self.name, "-n", self.namespace, f"--replicas={self.replicas}")


@dataclass(frozen=True, slots=True)
class Wait:
    """For a time; or, with `condition`, for what `kubectl wait --for` waits for; without either, until all is realised."""

    KIND: ClassVar[str] = "wait"
    TEXT: ClassVar[str] = "Waits: so long, for a condition of an object, or until everything is realised."
    SCHEMA: ClassVar[Schema] = record(
        {
            "duration": values.DURATION,
            "for": values.TEXT,
            "on": values.TEXT,
            "namespace": values.NAME,
            "timeout": values.DURATION,
        }
    )

    duration_s: float | None
    condition: str | None
    on: str
    namespace: str
    timeout_s: float

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Wait:
        return cls(
            values.seconds(data["duration"]) if "duration" in data else None, data.get("for"), data.get("on", ""),
            data.get("namespace", "default"), values.seconds(data.get("timeout", PATIENCE_S)),
        )  # fmt: skip

    @classmethod
    def findings(cls, data: Mapping[str, Any]) -> Iterator[Finding]:
        if "duration" in data:
            for word in data.keys() - {"duration"}:
                yield Finding((word,), f"found '{word}' beside 'duration', where it means nothing; remove one of them")
        for word, other in (("for", "on"), ("on", "for")):
            if word in data and other not in data:
                yield Finding((other,), f"found nothing; must be set with '{word}': for: condition=Ready, on: pod/web")

    def figures(self) -> tuple[Figure, ...]:
        return () if self.duration_s is not None else (Figure("waited", "s", "lower", "until it was so"),)

    def seconds(self) -> float:
        return 1.0 if self.duration_s is None else self.duration_s

    def run(self, scene: Scene, course: Course) -> Outcome:
        course.began()
        if self.duration_s is not None:
            course.ending.wait(self.duration_s)
            return Outcome()
        began = time.monotonic()
        if self.condition is None:
            scene.sync(self.timeout_s)
        else:
            scene.kubectl(
                "wait", f"--for={self.condition}", self.on, "-n", self.namespace, f"--timeout={self.timeout_s:g}s"
            )
        return Outcome({"waited": time.monotonic() - began})
