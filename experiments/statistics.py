"""Samples taken in rounds: every arm once per round, so that a disturbance of the machine meets all of them.

What is compared is a ratio of two samples of the same round; absolute figures are told as minimum and median.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Samples:
    """One arm's values, one per round, in the order of the rounds."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("no samples")

    @property
    def minimum(self) -> float:
        return min(self.values)

    @property
    def median(self) -> float:
        return float(median(self.values))

    def over(self, other: Samples) -> Samples:
        """The ratios to another arm's, round by round."""
        return Samples(tuple(mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)))

    def scaled(self, factor: float) -> Samples:
        return Samples(tuple(value * factor for value in self.values))

    def minus(self, other: Samples) -> Samples:
        return Samples(tuple(mine - theirs for mine, theirs in zip(self.values, other.values, strict=True)))

    def as_json(self) -> dict[str, object]:
        return {"samples": list(self.values), "min": self.minimum, "median": self.median}


def in_turn(turns: int, arms: Mapping[str, Callable[[], Sequence[float]]]) -> dict[str, list[float]]:
    """The samples of every arm, so often, forwards and backwards in turn: a round of parts, for what varies fast."""
    found: dict[str, list[float]] = {arm: [] for arm in arms}
    for turn in range(turns):
        for arm in list(arms)[:: 1 if turn % 2 == 0 else -1]:
            found[arm] += arms[arm]()
    return found


def by_arm(rounds: Sequence[Mapping[str, float]]) -> dict[str, Samples]:
    """What each round measured, turned round: the samples of every arm. Every round has every arm."""
    return {arm: Samples(tuple(one[arm] for one in rounds)) for arm in rounds[0]}
