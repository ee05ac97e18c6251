"""What a step is: when it begins, what it does, which figures it yields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from cluster.reading.findings import Finding
from experiments.scripted import values
from experiments.scripted.values import Schema

if TYPE_CHECKING:
    from experiments.scripted.scene import Course, Scene

Unit = Literal["bit/s", "1/s", "s", "bytes", "ratio", "count"]
Better = Literal["higher", "lower"] | None
UNITS: tuple[Unit, ...] = ("bit/s", "1/s", "s", "bytes", "ratio", "count")

AT_RULE = "must be 'STEP began', 'STEP ended', or a duration before that: '2s after load began'"
_AT = re.compile(r"(?:(\S+)\s+after\s+)?([a-z0-9-]+)\s+(began|ended)")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that is measured: its name, unit, whether more of it is better, and what it is."""

    name: str
    unit: Unit
    better: Better
    text: str

    def of(self, step: str) -> Figure:
        return replace(self, name=f"{step}.{self.name}")


Series = list[tuple[float, float]]
"""(seconds since the step began, value)"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step found. `tables`: counts by name, such as who answered how often. `note`: what was decided by lot."""

    figures: Mapping[str, float] = field(default_factory=dict)
    series: Mapping[str, Series] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    note: str = ""


class Action(Protocol):
    """What a step does: one class for each kind of step, made of what the file says about it."""

    KIND: ClassVar[str]
    SCHEMA: ClassVar[Schema]
    TEXT: ClassVar[str]
    """What it does, in a sentence."""

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Action:
        """Of data that has passed the schema and `findings`."""

    @classmethod
    def findings(cls, data: Mapping[str, Any]) -> Iterator[Finding]:
        """What is wrong with data that has passed the schema, but for formats."""

    def figures(self) -> tuple[Figure, ...]:
        """What it measures."""

    def seconds(self) -> float:
        """About how long it takes."""

    def run(self, scene: Scene, course: Course) -> Outcome:
        """Do it. Raises StepError."""


class StepError(Exception):
    """A step could not do what it was to do; the run ends with this message."""


@dataclass(frozen=True, slots=True)
class When:
    """When a step begins. `of` None: when all steps before it have ended; else `after_s` after that step began or
    ended. `during`: it also ends with that step."""

    of: str | None = None
    event: Literal["began", "ended"] = "ended"
    after_s: float = 0.0
    during: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an experiment."""

    name: str
    when: When
    action: Action


def parse_at(text: str) -> When:
    """Raises ValueError with the sentence that says what would be right."""
    match = _AT.fullmatch(text.strip())
    if match is None:
        raise ValueError(AT_RULE)
    try:
        after_s = values.seconds(match[1]) if match[1] else 0.0
    except ValueError as error:
        raise ValueError(AT_RULE) from error
    return When(match[2], "began" if match[3] == "began" else "ended", after_s)
