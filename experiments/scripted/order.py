"""Which runs an experiment has, and in which order: decided by the seed alone.

Every repetition has every variant once. Those that differ in nothing but the arm are next to each other, so that what the
machine does meanwhile meets all arms alike; which of them is first is drawn, and so is the order of the parameters.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from experiments.scripted.model import Experiment, Variant, key_of

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run; `order` counts from 1, `repetition` from 1."""

    order: int
    repetition: int
    variant: Variant
    seed: str
    """Of the generator that this run draws from: made of what the run is, not of when it runs."""

    @property
    def key(self) -> str:
        return f"{self.variant.key} #{self.repetition}"


def runs(experiment: Experiment) -> list[PlannedRun]:
    """In their order."""
    return list(_numbered(experiment))


def _numbered(experiment: Experiment) -> Iterator[PlannedRun]:
    order = 0
    for repetition in range(1, experiment.repetitions + 1):
        draw = random.Random(f"{experiment.seed}/order/{repetition}")
        for group in _shuffled(draw, _groups(experiment.variants)):
            for variant in _shuffled(draw, group):
                order += 1
                yield PlannedRun(order, repetition, variant, f"{experiment.seed}/{variant.key}/{repetition}")


def _groups(variants: Sequence[Variant]) -> list[list[Variant]]:
    """Those that share their parameters."""
    groups: dict[str, list[Variant]] = {}
    for variant in variants:
        groups.setdefault(key_of("", variant.parameters), []).append(variant)
    return list(groups.values())


def _shuffled(draw: random.Random, items: Sequence[Item]) -> list[Item]:
    copy = list(items)
    draw.shuffle(copy)
    return copy
