"""Runs put together: those of one arm with the same parameters, of which one figure has a median and a spread.

An invalid run stays in its group, to be shown, but enters neither median nor spread; nor does one that failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median

from experiments.reports.result import Figure, Result, Run, Value

Parameters = tuple[tuple[str, Value], ...]
"""Names and values, in the order in which the experiment names its parameters."""


@dataclass(frozen=True, slots=True)
class Group:
    """All runs of `arm` with these parameters; `values` are those of the runs that count, `set_aside` are the others."""

    figure: Figure
    arm: str
    parameters: Parameters
    runs: tuple[Run, ...]

    @property
    def counted(self) -> tuple[Run, ...]:
        return tuple(run for run in self.runs if self._is_counted(run))

    @property
    def set_aside(self) -> tuple[Run, ...]:
        return tuple(run for run in self.runs if not self._is_counted(run))

    def _is_counted(self, run: Run) -> bool:
        return run.counts and self.figure.name in run.figures

    @property
    def values(self) -> tuple[float, ...]:
        return tuple(run.figures[self.figure.name] for run in self.counted)

    @property
    def median(self) -> float | None:
        return median(self.values) if self.values else None

    @property
    def spread(self) -> float | None:
        """From the smallest to the largest of repetitions; None when there are not two."""
        return max(self.values) - min(self.values) if len(self.values) > 1 else None

    @property
    def remark(self) -> str:
        """What of these runs is not simply valid, in words: "2 invalid, 1 failed"; empty if all are."""
        failed = sum(run.counts and self.figure.name not in run.figures for run in self.runs)
        invalid = sum(not run.counts for run in self.runs)
        doubtful = [run.fidelity.verdict for run in self.counted]
        counts = ((invalid, "invalid"), (failed, "without it"),
                  *((doubtful.count(word), word) for word in ("degraded", "unwatched")))  # fmt: skip
        return ", ".join(f"{count} {word}" for count, word in counts if count)


def groups(result: Result, figure: Figure) -> tuple[Group, ...]:
    """Those with runs that are about the figure, or failed: parameter by parameter and within them arm by arm."""
    found = (Group(figure, arm, chosen, matching(result, arm, chosen))
             for chosen in combinations(result) for arm in result.arms)  # fmt: skip
    return tuple(group for group in found if any(figure.name in run.figures or run.error for run in group.runs))


def combinations(result: Result) -> Iterator[Parameters]:
    """Every combination of parameters; one empty one when there are none."""
    return product(*([(name, value) for value in values] for name, values in result.parameters.items()))


def matching(result: Result, arm: str, parameters: Parameters) -> tuple[Run, ...]:
    return tuple(run for run in result.runs if run.arm == arm and dict(run.parameters) == dict(parameters))


def said(parameters: Parameters | Mapping[str, Value]) -> str:
    """ "nodes 4, mtu 1500"; empty when there are none."""
    items = parameters.items() if isinstance(parameters, Mapping) else parameters
    return ", ".join(f"{name.replace('_', ' ')} {word(value)}" for name, value in items)


def word(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def swept(result: Result) -> str | None:
    """The parameter that can be an axis: of those whose values are numbers that differ, the one with the most."""
    numeric = [name for name, values in result.parameters.items() if _is_axis(values)]
    return max(numeric, key=lambda name: len(result.parameters[name]), default=None)


def _is_axis(values: Sequence[Value]) -> bool:
    return len(values) > 1 and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
