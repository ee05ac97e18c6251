"""Two results figure by figure: B's median over A's, and whether they differ by more than repetitions do.

The rule: the difference of the medians is larger than the larger of both spreads, from the smallest to the largest
repetition. With fewer than two valid runs on a side the spread is not known, and nothing is decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Literal

from experiments.reports import claims, summary, units
from experiments.reports.result import Ratio, Result, Unit
from experiments.reports.summary import Group

Word = Literal["better", "worse", "higher", "lower", "within the spread", "not known", "no valid run"]


@dataclass(frozen=True, slots=True)
class Side:
    """One result's values of one quantity; `remark` says which of its runs are not simply valid."""

    values: tuple[float, ...]
    remark: str

    @property
    def median(self) -> float | None:
        return median(self.values) if self.values else None

    @property
    def spread(self) -> float | None:
        return max(self.values) - min(self.values) if len(self.values) > 1 else None


@dataclass(frozen=True, slots=True)
class Line:
    """One quantity of both results."""

    name: str
    unit: Unit
    better: Literal["higher", "lower"] | None
    a: Side
    b: Side

    @property
    def ratio(self) -> float | None:
        return self.b.median / self.a.median if self.a.median and self.b.median is not None else None

    @property
    def word(self) -> Word:
        if self.a.median is None or self.b.median is None:
            return "no valid run"
        if self.a.spread is None or self.b.spread is None:
            return "not known"
        change = self.b.median - self.a.median
        if abs(change) <= max(self.a.spread, self.b.spread):
            return "within the spread"
        if self.better is None:
            return "higher" if change > 0 else "lower"
        return "better" if (change > 0) is (self.better == "higher") else "worse"

    def row(self) -> tuple[str, ...]:
        scale = units.scale(self.unit, (*self.a.values, *self.b.values))
        told = [f"{scale.text(side.median)}{_runs(side)}" if side.median is not None else f"-{_runs(side)}"
                for side in (self.a, self.b)]  # fmt: skip
        spreads = [side.spread for side in (self.a, self.b) if side.spread is not None]
        spread = scale.text(max(spreads)) if spreads else "-"
        return self.name, *told, units.digits(self.ratio) if self.ratio is not None else "-", spread, self.word

    def as_json(self) -> dict[str, Any]:
        sides = {name: {**asdict(side), "median": side.median, "spread": side.spread}
                 for name, side in (("a", self.a), ("b", self.b))}  # fmt: skip
        return {"name": self.name, "unit": self.unit, **sides, "ratio": self.ratio, "difference": self.word}


def _runs(side: Side) -> str:
    """How many values a median is of, and what was not valid: never a number without its verdict."""
    return f" [{len(side.values)}{'; ' + side.remark if side.remark else ''}]"


def lines(a: Result, b: Result) -> tuple[Line, ...]:
    """Every group of runs and every ratio that both results have."""
    return (*_figures(a, b), *_ratios(a, b))


def _figures(a: Result, b: Result) -> Iterator[Line]:
    for figure in a.own:
        other = b.figure(figure.name)
        if other is None or other.unit != figure.unit:
            continue
        theirs = {(group.arm, frozenset(group.parameters)): group for group in summary.groups(b, other)}
        for group in summary.groups(a, figure):
            if (match := theirs.get((group.arm, frozenset(group.parameters)))) is not None:
                where = ", ".join(filter(None, (group.arm, summary.said(group.parameters))))
                yield Line(f"{claims.name(figure.name)}: {where}", figure.unit, figure.better, _side(group), _side(match))


def _side(group: Group) -> Side:
    return Side(group.values, group.remark)


def _ratios(a: Result, b: Result) -> Iterator[Line]:
    theirs = {_key(ratio): ratio for ratio in b.ratios}
    for ratio in a.ratios:
        if (match := theirs.get(_key(ratio))) is not None:
            figure = a.figure(ratio.figure)
            yield Line(claims.name(ratio.label), "ratio", figure.better if figure else None, Side(ratio.pairs, ""), Side(match.pairs, ""))


def _key(ratio: Ratio) -> tuple[object, ...]:
    return ratio.name, ratio.figure, ratio.over, ratio.of, frozenset(ratio.by.items())


def notices(a: Result, b: Result) -> Iterator[str]:
    """What else differs between them, so that nobody takes it for the cause of nothing."""
    pairs = {"experiment": (a.name, b.name), "seed": (a.seed, b.seed)}
    pairs |= {f"version of {name.replace('_', ' ')}": (a.versions.get(name), b.versions.get(name))
              for name in {**a.versions, **b.versions}}  # fmt: skip
    pairs |= {f"machine's {name.replace('_', ' ')}": (value, asdict(b.machine)[name]) for name, value in asdict(a.machine).items()}
    for name, (one, other) in pairs.items():
        if one != other:
            yield f"the {name} differs: {one} in A, {other} in B"
    if a.file != b.file:
        yield "the experiment's file is not the same in A and B"
    yield from _only(a, b)
    for side, result in (("A", a), ("B", b)):
        yield from (f"run {run.order} of {side} ({run.arm}) is {run.fidelity.verdict}: {'; '.join(run.fidelity.culprits)}"
                    for run in result.runs if run.fidelity.verdict != "valid")  # fmt: skip


def _only(a: Result, b: Result) -> Iterator[str]:
    """What only one of them measured."""
    for side, result, other in (("A", a, b), ("B", b, a)):
        for kind, mine, theirs in (
            ("figure", [figure.name for figure in result.figures], [figure.name for figure in other.figures]),
            ("arm", result.arms, other.arms),
        ):
            if missing := [name for name in mine if name not in theirs]:
                yield f"only {side} has the {kind}{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
