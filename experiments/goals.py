"""A figure beside what it should be, and the form in which a benchmark answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Goal:
    """`value` must be at most (or at least) `goal`, both in `unit`."""

    id: str
    value: float
    direction: Literal["at most", "at least"]
    goal: float
    unit: str

    @property
    def holds(self) -> bool:
        # Times, rates and sizes are positive: anything else is a measurement that went wrong.
        return 0 < self.value <= self.goal if self.direction == "at most" else self.value >= self.goal

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id, "value": self.value, "goal": self.goal, "direction": self.direction, "unit": self.unit,
            "holds": self.holds,
        }  # fmt: skip

    def row(self) -> tuple[str, str, str, str]:
        goal = f"{self.direction} {self.goal:g}"
        return self.id, f"{self.value:.3g} {self.unit}", goal, "yes" if self.holds else "NO"


@dataclass(frozen=True, slots=True)
class Report:
    """What a benchmark found. `raw` holds every sample behind the figures."""

    bench: str
    goals: tuple[Goal, ...]
    raw: Mapping[str, Any]

    @property
    def holds(self) -> bool:
        return all(goal.holds for goal in self.goals)

    def as_json(self) -> dict[str, Any]:
        return {"bench": self.bench, "goals": [goal.as_json() for goal in self.goals], "raw": dict(self.raw)}

    def rows(self) -> Sequence[tuple[str, str, str, str]]:
        return [goal.row() for goal in self.goals]
