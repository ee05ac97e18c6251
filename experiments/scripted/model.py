"""An experiment once its file was read: what is to be run, and what its figures mean. Everything is frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cluster.model import Cluster
from cluster.objects import Object
from experiments.scripted.steps.step import Figure, Step

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Variant:
    """One arm with one value of each parameter, rendered: a spec and steps. `key` names it among the others."""

    arm: str
    parameters: Parameters
    cluster_document: Mapping[str, Any]
    cluster: Cluster
    objects: tuple[Object, ...]
    steps: tuple[Step, ...]

    @property
    def key(self) -> str:
        return key_of(self.arm, self.parameters)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """What the steps of a run measure, as STEP.FIGURE."""
        return tuple(figure.of(step.name) for step in self.steps for figure in step.action.figures())


def key_of(arm: str, parameters: Parameters) -> str:
    """An arm and parameters in one line: "overlay, streams=8"."""
    return ", ".join([arm, *(f"{name}={value}" for name, value in parameters.items())])


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure of the arm `of` over that of the arm `over`, pair by pair."""

    name: str
    figure: str
    of: str
    over: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must be so in the end: of a ratio's median, or of a figure's least, median or greatest value over runs.

    `arm` and `where` say which runs; None and {}: all of them.
    """

    text: str
    figure: str | None
    ratio: str | None
    of: Literal["each", "median"]
    at_least: float | None
    at_most: float | None
    arm: str | None = None
    where: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Experiment:
    """`text`: the file. `arms` in their order; a file without any has one, of the experiment's name.

    `reported`: the figures that the file names as its own; none named: all.
    """

    file: str
    text: str
    name: str
    title: str
    question: str
    method: str
    seed: int
    repetitions: int
    shared: bool
    interval_s: float
    arms: tuple[str, ...]
    parameters: Mapping[str, tuple[Any, ...]]
    variants: tuple[Variant, ...]
    reported: tuple[str, ...]
    ratios: tuple[Ratio, ...]
    expectations: tuple[Expectation, ...]
