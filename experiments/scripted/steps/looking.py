"""exec, matrix, expect: run a command and read figures of what it prints; ask who reaches whom; be sure of a figure."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from cluster.reading.findings import Finding, found
from experiments.scripted import values
from experiments.scripted.scene import Course, Scene
from experiments.scripted.steps.step import UNITS, Figure, Outcome, StepError
from experiments.scripted.values import Schema, Target, list_of, record

PATIENCE_S = 60.0
_LOOK_S = 0.05
_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Read:
    """A figure: the first group of the last match of `pattern` in what a command prints, times `scale`."""

    figure: Figure
    pattern: re.Pattern[str]
    scale: float


@dataclass(frozen=True, slots=True)
class Exec:
    """A command in a pod, node, client, or in the sandbox itself."""

    KIND: ClassVar[str] = "exec"
    TEXT: ClassVar[str] = "Runs a command in a machine, or in the `sandbox`; reads figures of what it prints."
    SCHEMA: ClassVar[Schema] = record(
        {
            "in": values.MACHINE,
            "command": list_of(values.WORD, at_least=1),
            "status": values.NATURAL,
            "timeout": values.DURATION,
            "figures": list_of(
                record(
                    {
                        "name": values.FIGURE,
                        "pattern": values.TEXT,
                        "unit": values.one_of(*UNITS),
                        "better": values.one_of("higher", "lower"),
                        "scale": values.POSITIVE,
                        "text": values.TEXT,
                    },
                    ("name", "pattern", "unit"),
                )
            ),
        },
        ("in", "command"),
    )

    target: Target
    command: tuple[str, ...]
    status: int
    timeout_s: float
    reads: tuple[Read, ...]

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Exec:
        reads = tuple(
            Read(
                Figure(each["name"], each["unit"], each.get("better"), each.get("text", f"as {data['command'][0]} says")),
                re.compile(each["pattern"], re.MULTILINE), each.get("scale", 1.0),
            )
            for each in data.get("figures", ())
        )  # fmt: skip
        timeout_s = values.seconds(data.get("timeout", PATIENCE_S))
        return cls(Target(data["in"]), tuple(map(str, data["command"])), data.get("status", 0), timeout_s, reads)

    @classmethod
    def findings(cls, data: Mapping[str, Any]) -> Iterator[Finding]:
        for index, each in enumerate(data.get("figures", ())):
            try:
                groups = re.compile(each["pattern"]).groups
            except re.error as error:
                yield Finding(("figures", index, "pattern"), found(each["pattern"], f"not a regular expression: {error}"))
                continue
            if groups < 1:
                rule = "must have a group, the number in parentheses: 'rtt ([0-9.]+)'"
                yield Finding(("figures", index, "pattern"), found(each["pattern"], rule))

    def figures(self) -> tuple[Figure, ...]:
        return (Figure("seconds", "s", None, "how long the command took"), *(read.figure for read in self.reads))

    def seconds(self) -> float:
        return 1.0

    def run(self, scene: Scene, course: Course) -> Outcome:
        target = "sandbox" if self.target == "sandbox" else scene.machine(self.target).target
        course.began()
        began = time.monotonic()
        process = subprocess.Popen(
            (*scene.testbed.prefix(target), *self.command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            said = self._until_done(process, course)
        finally:
            process.kill()
            process.wait()
        took = time.monotonic() - began
        if process.returncode != self.status and not course.ending.is_set():
            shown = said.strip()[-_SHOWN:]
            raise StepError(f"{self.command[0]} ended with {process.returncode}, not {self.status}: {shown}")
        return Outcome({"seconds": took, **dict(self._read(said, cut_off=course.ending.is_set()))})

    def _until_done(self, process: subprocess.Popen[str], course: Course) -> str:
        deadline = time.monotonic() + self.timeout_s
        while True:
            try:
                return process.communicate(timeout=_LOOK_S)[0]
            except subprocess.TimeoutExpired:
                if course.ending.is_set():
                    process.terminate()
                elif time.monotonic() > deadline:
                    raise StepError(f"{self.command[0]} did not end within {self.timeout_s:g} s") from None

    def _read(self, said: str, cut_off: bool) -> Iterator[tuple[str, float]]:
        """Of a command that was `cut_off`, what it had come to say."""
        for read in self.reads:
            matches = list(read.pattern.finditer(said))
            if not matches and cut_off:
                continue
            if not matches:
                raise StepError(f"{self.command[0]} printed nothing that matches {read.pattern.pattern!r}")
            try:
                yield read.figure.name, float(matches[-1][1]) * read.scale
            except ValueError as error:
                raise StepError(f"{read.figure.name}: {matches[-1][1]!r} is no number") from error


@dataclass(frozen=True, slots=True)
class Matrix:
    """mininetes matrix: a new connection for each pair of pods."""

    KIND: ClassVar[str] = "matrix"
    TEXT: ClassVar[str] = "Asks by real packets who reaches whom."
    SCHEMA: ClassVar[Schema] = record(
        {"via": values.one_of("pod-ip", "cluster-ip"), "ports": list_of(values.PORT, 1), "sample": values.COUNT,
         "cover": values.FLAG, "timeout": values.DURATION}
    )  # fmt: skip

    arguments: tuple[str, ...]

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Matrix:
        arguments = ["--via", data.get("via", "pod-ip")]
        if "ports" in data:
            arguments += ["--ports", ",".join(str(port) for port in data["ports"])]
        if "sample" in data:
            arguments += ["--sample", str(data["sample"])]
        if data.get("cover"):
            arguments.append("--cover")
        return cls((*arguments, "--timeout", f"{values.seconds(data.get('timeout', 1)):g}"))

    @classmethod
    def findings(cls, data: Mapping[str, Any]) -> Iterator[Finding]:
        if "sample" in data and data.get("cover"):
            yield Finding(("cover",), "found both 'sample' and 'cover'; must be one of them")

    def figures(self) -> tuple[Figure, ...]:
        return (
            Figure("pairs", "count", None, "pairs that were asked"),
            Figure("reached", "count", None, "pairs of which the one reached the other"),
            Figure("reached_ratio", "ratio", None, "of all pairs, those of which the one reached the other"),
        )

    def seconds(self) -> float:
        return 2.0

    def run(self, scene: Scene, course: Course) -> Outcome:
        course.began()
        tables = json.loads(scene.command("matrix", *self.arguments, "-o", "json"))["tables"]
        answers = [bool(answer) for table in tables.values() for row in table.values() for answer in row.values()]
        figures = {"pairs": float(len(answers)), "reached": float(sum(answers))}
        if answers:
            figures["reached_ratio"] = sum(answers) / len(answers)
        return Outcome(figures)


@dataclass(frozen=True, slots=True)
class Expect:
    """A figure of a step before it; a run in which it is not so has failed and ends."""

    KIND: ClassVar[str] = "expect"
    TEXT: ClassVar[str] = "Ends the run as failed unless a figure of an earlier step is as it should be."
    SCHEMA: ClassVar[Schema] = record(
        {"figure": values.TEXT, "atLeast": {"type": "number"}, "atMost": {"type": "number"}}, ("figure",)
    )

    figure: str
    at_least: float | None
    at_most: float | None

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Expect:
        return cls(data["figure"], data.get("atLeast"), data.get("atMost"))

    @classmethod
    def findings(cls, data: Mapping[str, Any]) -> Iterator[Finding]:
        if "atLeast" not in data and "atMost" not in data:
            yield Finding((), "found no limit; must have atLeast or atMost")

    def figures(self) -> tuple[Figure, ...]:
        return ()

    def seconds(self) -> float:
        return 0.0

    def run(self, scene: Scene, course: Course) -> Outcome:
        course.began()
        value = scene.figures.get(self.figure)
        if value is None:
            raise StepError(f"{self.figure} was not measured")
        if (self.at_least is not None and value < self.at_least) or (self.at_most is not None and value > self.at_most):
            raise StepError(f"{self.figure} is {value:g}; expected {limits(self.at_least, self.at_most)}")
        return Outcome()


def limits(at_least: float | None, at_most: float | None) -> str:
    """In words."""
    named = (("at least", at_least), ("at most", at_most))
    return " and ".join(f"{words} {limit:g}" for words, limit in named if limit is not None)
