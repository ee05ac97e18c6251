"""Sentences that follow from the data: each is made of medians, of how repetitions lie around them, and of counts.

Nothing is said to be larger unless every pair says so, or the difference exceeds what repetitions differ by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import get_args

from experiments.reports import summary, units
from experiments.reports.result import Figure, Ratio, Result, Verdict
from experiments.reports.summary import Group


def of(result: Result) -> tuple[str, ...]:
    return tuple(_claims(result))


def _claims(result: Result) -> Iterator[str]:
    yield _runs(result)
    if result.runs and not any(run.counts and run.figures for run in result.runs):
        yield "No run can be used, so nothing is said of any figure."
        return
    yield from (_ratio(result, ratio) for ratio in result.ratios if ratio.pairs)
    if apart := [name(ratio.label) for ratio in result.ratios if not ratio.pairs]:
        yield f"No pair of runs can be compared: {'; '.join(apart)}."
    for figure in result.own:
        groups = summary.groups(result, figure)
        if (along := summary.swept(result)) is not None:
            yield from _along(result, figure, groups, along)
        elif not any(ratio.figure == figure.name for ratio in result.ratios):
            yield from (_alone(figure, group) for group in groups)
    yield from _expectations(result)


def _runs(result: Result) -> str:
    verdicts = [run.fidelity.verdict for run in result.runs]
    if not verdicts:
        return "There is no run."
    counts = ", ".join(f"{verdicts.count(word)} {word}" for word in get_args(Verdict) if word in verdicts)
    failed = sum(run.error is not None for run in result.runs)
    said = f"Of {len(verdicts)} runs: {counts}" if len(verdicts) > 1 else f"The one run is {verdicts[0]}"
    return said + (f"; {failed} failed." if failed else ".") + (
        " Invalid runs are in no median." if "invalid" in verdicts else ""
    )  # fmt: skip


def _ratio(result: Result, ratio: Ratio) -> str:
    what = name(ratio.label)
    low, high = min(ratio.pairs), max(ratio.pairs)
    found = f"{what}: median {units.digits(median(ratio.pairs))}"
    if len(ratio.pairs) == 1:
        return f"{found} in the only pair; how far pairs differ is not known."
    found += f" of {len(ratio.pairs)} pairs ({units.digits(low)} to {units.digits(high)})"
    if low <= 1 <= high:
        return f"{found}; pairs lie on both sides of 1, so these data show no difference."
    side = "above" if low > 1 else "below"
    return f"{found}; every pair is {side} 1{_judged(result, ratio, low > 1)}."


def _judged(result: Result, ratio: Ratio, higher: bool) -> str:
    figure = result.figure(ratio.figure)
    if figure is None or figure.better is None:
        return ""
    return ", which is better" if (figure.better == "higher") is higher else ", which is worse"


def _along(result: Result, figure: Figure, groups: Sequence[Group], along: str) -> Iterator[str]:
    """From the smallest to the largest value of the swept parameter, everything else the same."""
    lines: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        rest = summary.said(tuple(item for item in group.parameters if item[0] != along))
        lines.setdefault((group.arm, rest), []).append(group)
    for (arm, rest), line in lines.items():
        ordered = sorted(line, key=lambda group: float(str(dict(group.parameters)[along])))
        what = f"{name(figure.name)} of {arm}" + (f" ({rest})" if rest else "")
        yield f"{what}: {_change(figure, ordered[0], ordered[-1], along)}"


def _change(figure: Figure, first: Group, last: Group, along: str) -> str:
    before, after = first.median, last.median
    ends = [f"{along.replace('_', ' ')} {summary.word(dict(group.parameters)[along])}" for group in (first, last)]
    if before is None or after is None:
        return f"no valid run with {ends[0] if before is None else ends[1]}, so nothing is said of how it changes."
    scale = units.scale(figure.unit, [before, after])
    said = f"median {scale.text(before)} with {ends[0]}, {scale.text(after)} with {ends[1]}"
    times = f" ({units.digits(after / before)} times as much)" if before > 0 else ""
    if first.spread is None or last.spread is None:
        return f"{said}{times}; without repetitions the spread is not known."
    spread = max(first.spread, last.spread)
    if abs(after - before) <= spread:
        return f"{said}{times}; that is within the spread of repetitions ({scale.text(spread)})."
    return f"{said}{times}; repetitions differ by {scale.text(spread)} at most."


def _alone(figure: Figure, group: Group) -> str:
    what = f"{name(figure.name)} of {group.arm}" + (f" ({summary.said(group.parameters)})" if group.parameters else "")
    remark = f" ({group.remark})" if group.remark else ""
    if group.median is None:
        return f"{what}: no number, since no run of it counts{remark}."
    scale = units.scale(figure.unit, group.values)
    if group.spread is None:
        return f"{what}: {scale.text(group.median)} in one run{remark}."
    low, high = scale.text(min(group.values)), scale.text(max(group.values))
    if low == high:
        return f"{what}: {low} in each of {len(group.values)} runs{remark}."
    return f"{what}: median {scale.text(group.median)} of {len(group.values)} runs, {low} to {high}{remark}."


def _expectations(result: Result) -> Iterator[str]:
    if not result.expectations:
        return
    held = sum(one.holds is True for one in result.expectations)
    open_ = sum(one.holds is None for one in result.expectations)
    undecided = f"; {open_} not decided, for want of valid runs" if open_ else ""
    yield f"Of {len(result.expectations)} expectations, {held} held{undecided}."
    for one in result.expectations:
        if one.holds is False:
            yield f"Not as expected: {one.text}; found {one.found}."


def name(figure: str) -> str:
    return figure.replace("_", " ")
