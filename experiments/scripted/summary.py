"""Finished runs -> ratios, and whether what was expected is so. Pure.

A run that failed, or whose verdict is invalid, is in no ratio and decides no expectation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from experiments.scripted.model import Expectation, Experiment, Ratio
from experiments.scripted.steps.looking import limits

Run = Mapping[str, Any]


def usable(run: Run) -> bool:
    """Whether a run's figures may be used."""
    fidelity = run.get("fidelity")
    return run["error"] is None and (fidelity is None or fidelity["verdict"] != "invalid")


def ratios(experiment: Experiment, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One entry for each ratio and combination of parameters that has a pair at least."""
    return [entry for ratio in experiment.ratios for entry in _of(ratio, runs)]


def _of(ratio: Ratio, runs: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """In a file a ratio is `of` an arm `over` another; in results.json `over` is divided by `of`, as suites write it."""
    pairs: dict[str, list[float]] = {}
    by: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        over = _partner(run, ratio.over, runs)
        if run["arm"] == ratio.of and over is not None and usable(run) and usable(over):
            mine, theirs = run["figures"].get(ratio.figure), over["figures"].get(ratio.figure)
            if mine is not None and theirs:
                key = repr(run["parameters"])
                by[key] = run["parameters"]
                pairs.setdefault(key, []).append(mine / theirs)
    for key, found in pairs.items():
        yield {
            "name": ratio.name, "figure": ratio.figure, "over": ratio.of, "of": ratio.over, "by": dict(by[key]),
            "pairs": found, "median": median(found),
        }  # fmt: skip


def _partner(run: Run, arm: str, runs: Sequence[Run]) -> Run | None:
    """The run of another arm with the same parameters, in the same repetition."""
    same = (other for other in runs if other["repetition"] == run["repetition"])
    return next((other for other in same if other["arm"] == arm and other["parameters"] == run["parameters"]), None)


def expectations(
    experiment: Experiment, runs: Sequence[Run], found_ratios: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """`holds` is null where nothing that may be used says anything about it."""
    return [_decided(expected, runs, found_ratios) for expected in experiment.expectations]


def _decided(
    expected: Expectation, runs: Sequence[Run], found_ratios: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    values = list(_values(expected, runs, found_ratios))
    if not values:
        return {"text": expected.text, "holds": None, "found": "no run that may be used measured it"}
    judged = [median(values)] if expected.of == "median" else values
    holds = all(_within(expected, value) for value in judged)
    wanted = f"expected {limits(expected.at_least, expected.at_most)}"
    return {"text": expected.text, "holds": holds, "found": f"{_told(expected, values)}; {wanted}"}


def _values(
    expected: Expectation, runs: Sequence[Run], found_ratios: Sequence[Mapping[str, Any]]
) -> Iterator[float]:
    where = dict(expected.where)
    if expected.ratio is not None:
        for entry in found_ratios:
            if entry["name"] == expected.ratio and where.items() <= entry["by"].items():
                yield float(entry["median"])
        return
    for run in runs:
        mine = expected.arm in (None, run["arm"]) and where.items() <= run["parameters"].items()
        if mine and usable(run) and expected.figure in run["figures"]:
            yield float(run["figures"][expected.figure])


def _within(expected: Expectation, value: float) -> bool:
    least, most = expected.at_least, expected.at_most
    return (least is None or value >= least) and (most is None or value <= most)


def _told(expected: Expectation, values: Sequence[float]) -> str:
    what = expected.ratio or expected.figure
    if len(values) == 1:
        return f"{what} is {values[0]:.4g}"
    return f"{what} is {min(values):.4g} to {max(values):.4g}, median {median(values):.4g}, of {len(values)}"
