"""The suite's result as the terminal shows it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from experiments.suite.arms import ARMS, MININETES, PLAIN
from experiments.suite.cells import MAIN_FIGURE

HEADER = ("LOAD", "PATH", "TO", "MODE", "MININETES", "PLAIN", "RATIO", "PROCESSORS", "FIDELITY")
_SCALES = {
    "throughput": (1e9, "Gbit/s"), "requests": (1e3, "k/s"), "connections": (1e3, "k/s"), "processors": (1.0, "cpu"),
}  # fmt: skip


def rows(document: Mapping[str, Any]) -> list[Sequence[str]]:
    """A row per cell: medians of the runs that count, and the median of the ratios pair by pair."""
    cells = list(dict.fromkeys(tuple(run["parameters"].items()) for run in document["runs"]))
    return [_row(document, dict(cell)) for cell in sorted(cells, key=lambda cell: _place(document, dict(cell)))]


def _place(document: Mapping[str, Any], cell: Mapping[str, str]) -> tuple[int, ...]:
    order = {"load": [*MAIN_FIGURE], "mode": ["overlay", "direct"], "path": ["same-node", "cross-node", "none"],
             "way": ["pod", "service", "none"]}  # fmt: skip
    return tuple(values.index(cell[name]) for name, values in order.items())


def _row(document: Mapping[str, Any], cell: Mapping[str, str]) -> Sequence[str]:
    runs = [run for run in document["runs"] if run["parameters"] == cell]
    figure = MAIN_FIGURE[cell["load"]]
    shown = {arm: _shown(runs, arm, figure) for arm in ARMS}
    used = " / ".join(_number(_middle(runs, arm, "processors"), 1.0) for arm in ARMS)
    ratio = next((each["median"] for each in document["ratios"]
                  if each["name"] == f"{MININETES} over {PLAIN}" and each["by"] == cell), None)  # fmt: skip
    found = "" if ratio is None else f"{ratio:.2f}"
    place = (cell["load"], cell["path"].replace("none", ""), cell["way"].replace("none", ""), cell["mode"])
    return (*place, shown[MININETES], shown[PLAIN], found, used, _verdicts(runs))


def _middle(runs: Sequence[Mapping[str, Any]], arm: str, figure: str, invalid: bool = False) -> float | None:
    """The median of the runs that count; or of those that do not, since they are invalid."""
    values = [run["figures"][figure] for run in runs if run["arm"] == arm and figure in run["figures"]
              and run["error"] is None and (run["fidelity"]["verdict"] == "invalid") is invalid]  # fmt: skip
    return median(values) if values else None


def _shown(runs: Sequence[Mapping[str, Any]], arm: str, figure: str) -> str:
    scale, unit = _SCALES[figure]
    for invalid in (False, True):
        value = _middle(runs, arm, figure, invalid)
        if value is not None:
            return f"{_number(value, scale)} {unit}{', invalid' if invalid else ''}"
    return "failed"


def _number(value: float | None, scale: float) -> str:
    return "-" if value is None else f"{value / scale:.2f}"


def _verdicts(runs: Sequence[Mapping[str, Any]]) -> str:
    """How many of the runs had each verdict, if not all were valid."""
    verdicts = ["failed" if run["error"] else run["fidelity"]["verdict"] for run in runs]
    counted = {verdict: verdicts.count(verdict) for verdict in ("valid", "degraded", "invalid", "failed")}
    if counted["valid"] == len(runs):
        return "valid"
    return ", ".join(f"{count} {verdict}" for verdict, count in counted.items() if count)


def conclusions(document: Mapping[str, Any]) -> Iterator[str]:
    """Claims, then expectations, then the most frequent reasons why runs are not valid."""
    yield from document["claims"]
    for expectation in document["expectations"]:
        holds = {True: "holds", False: "DOES NOT HOLD", None: "undecided"}[expectation["holds"]]
        yield f"{expectation['text']}: {holds}, found {expectation['found']}"
    reasons = [run["fidelity"]["culprits"][0] for run in document["runs"] if run["fidelity"]["culprits"]]
    for reason in list(dict.fromkeys(reasons))[:_REASONS]:
        yield f"not valid, for instance: {reason}"


_REASONS = 3
