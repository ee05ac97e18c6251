"""Runs -> ratios, expectations and claims, and all of it in the form of results.json. Pure.

No figure of an invalid run enters a ratio, a median or a claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import geometric_mean, median
from typing import Any

from experiments.fidelity import Fidelity
from experiments.suite.arms import ARMS, MININETES, PLAIN
from experiments.suite.cells import FIGURES, MAIN_FIGURE, Cell

SERVICE_OVER_POD = 0.95
OVERLAY_OVER_DIRECT = (0.8, 1.05)
_TCP = ("tcp-1", "tcp-8")


@dataclass(frozen=True, slots=True)
class Run:
    """One cell in one arm, once. `error`: why it has no figures."""

    order: int
    arm: str
    cell: Cell
    repetition: int
    began: str
    seconds: float
    figures: Mapping[str, float]
    fidelity: Fidelity
    error: str | None = None

    @property
    def counts(self) -> bool:
        return self.error is None and self.fidelity.verdict != "invalid"

    def to_json(self) -> dict[str, Any]:
        step = {
            "name": self.cell.load, "kind": self.cell.load, "at_s": 0.0, "seconds": self.seconds,
            "figures": dict(self.figures), "series": {}, "error": self.error,
        }  # fmt: skip
        return {
            "order": self.order, "arm": self.arm, "parameters": self.cell.parameters, "repetition": self.repetition,
            "began": self.began, "seconds": self.seconds, "steps": [step], "samples": {}, "figures": dict(self.figures),
            "fidelity": self.fidelity.to_json(), "error": self.error,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of two runs of one repetition each: the figure of `over`, an arm or one of its ways, by that of `of`."""

    name: str
    figure: str
    over: str
    of: str
    by: Mapping[str, str]
    pairs: tuple[float, ...]

    @property
    def median(self) -> float | None:
        return median(self.pairs) if self.pairs else None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "figure": self.figure, "over": self.over, "of": self.of, "by": dict(self.by),
            "pairs": list(self.pairs), "median": self.median,
        }  # fmt: skip


def cells(runs: Iterable[Run]) -> list[Cell]:
    """In the order in which they were first measured."""
    return list(dict.fromkeys(run.cell for run in runs))


def middle(runs: Sequence[Run], arm: str, cell: Cell, figure: str) -> float | None:
    """The median of the runs that count; None where there is none."""
    found = [run.figures[figure] for run in runs
             if run.counts and (run.arm, run.cell) == (arm, cell) and figure in run.figures]  # fmt: skip
    return median(found) if found else None


def ratios(runs: Sequence[Run]) -> list[Ratio]:
    """Mininetes over plain in every cell; in each arm, Service over pod, and overlay over direct."""
    found = []
    for cell in cells(runs):
        figure = MAIN_FIGURE[cell.load]
        if cell.load != "idle":
            pairs = _pairs(runs, (MININETES, cell), (PLAIN, cell), figure)
            found.append(Ratio("mininetes over plain", figure, MININETES, PLAIN, cell.parameters, pairs))
    for arm in ARMS:
        found += _within(runs, arm, "way", "service", "pod", lambda cell: replace(cell, way="pod"))
        found += _within(runs, arm, "mode", "overlay", "direct", lambda cell: replace(cell, mode="direct"))
    return found


def _within(
    runs: Sequence[Run], arm: str, parameter: str, over: str, of: str, other: Callable[[Cell], Cell]
) -> Iterator[Ratio]:
    """One value of a parameter over another, in one arm, everything else alike."""
    have = cells(runs)
    for cell in have:
        if cell.parameters[parameter] == over and cell.load != "idle" and other(cell) in have:
            by = {name: value for name, value in cell.parameters.items() if name != parameter}
            figure = MAIN_FIGURE[cell.load]
            pairs = _pairs(runs, (arm, cell), (arm, other(cell)), figure)
            yield Ratio(f"{over} over {of} in {arm}", figure, arm, arm, by, pairs)


def _pairs(runs: Sequence[Run], over: tuple[str, Cell], of: tuple[str, Cell], figure: str) -> tuple[float, ...]:
    """Repetition by repetition, where both count."""
    by_repetition = {
        key: {run.repetition: run.figures[figure] for run in runs
              if run.counts and (run.arm, run.cell) == key and run.figures.get(figure)}
        for key in (over, of)
    }  # fmt: skip
    shared = sorted(by_repetition[over].keys() & by_repetition[of].keys())
    return tuple(by_repetition[over][number] / by_repetition[of][number] for number in shared)


def reported(found: Sequence[Ratio]) -> list[Ratio]:
    """Mininetes over plain cell by cell; the others one for each load, since a cell's tells little by itself."""
    names = list(dict.fromkeys(ratio.name for ratio in found if ratio.over == ratio.of))
    loads = list(dict.fromkeys(ratio.by["load"] for ratio in found))
    pooled = ((load, overall(found, name, (load,), _path(name))) for name in names for load in loads)
    return [
        *(ratio for ratio in found if ratio.over != ratio.of),
        *(replace(ratio, by={"load": load}) for load, ratio in pooled if ratio is not None),
    ]


def _path(name: str) -> str | None:
    """On one node, overlay and direct mode are the same."""
    return "cross-node" if name.startswith("overlay over direct") else None


def of_cells(found: Iterable[Ratio], name: str, loads: Sequence[str]) -> list[Ratio]:
    """The ratios of that name and those loads."""
    return [ratio for ratio in found if ratio.name == name and ratio.by["load"] in loads]


def overall(found: Iterable[Ratio], name: str, loads: Sequence[str], path: str | None = None) -> Ratio | None:
    """All pairs of the ratios of that name and those loads as one, where all cells should have the same; None where there is
    none."""
    chosen = [ratio for ratio in of_cells(found, name, loads) if path in (None, ratio.by["path"])]
    if not chosen:
        return None
    return replace(chosen[0], by={}, pairs=tuple(pair for ratio in chosen for pair in ratio.pairs))


def expectations(found: Sequence[Ratio], runs: Sequence[Run]) -> list[dict[str, Any]]:
    """What the suite is expected to show on any machine; undecided where no valid pair of runs decides."""
    low, high = OVERLAY_OVER_DIRECT
    service = _median(overall(found, f"service over pod in {MININETES}", _TCP))
    tunnel = _median(overall(found, f"overlay over direct in {MININETES}", _TCP, "cross-node"))
    within = None if tunnel is None else low <= tunnel <= high
    cause = _cause(tunnel, runs) if tunnel is not None and within is False else ""
    return [
        {"text": f"TCP by a Service is at least {SERVICE_OVER_POD} of TCP to its pod",
         "holds": None if service is None else service >= SERVICE_OVER_POD, "found": _said(service)},
        {"text": f"TCP between nodes in overlay mode is {low} to {high} of direct mode, or the cause is told",
         "holds": within if within is not False else bool(cause),
         "found": f"{_said(tunnel)}: {cause}" if cause else _said(tunnel)},
    ]  # fmt: skip


def _cause(tunnel: float, runs: Sequence[Run]) -> str:
    """Which mode keeps the switch, or the machine, busier with as many bits: that is where the time goes."""
    per_bit = {}
    for mode in ("overlay", "direct"):
        chosen = [run for run in runs if run.counts and run.arm == MININETES and run.cell.load in _TCP
                  and (run.cell.path, run.cell.mode) == ("cross-node", mode)]  # fmt: skip
        for name in ("switch_busy", "cpu_busy"):
            spent = [run.fidelity.figures[name] * 1e9 / run.figures["throughput"] for run in chosen
                     if name in run.fidelity.figures]  # fmt: skip
            if spent:
                per_bit[mode, name] = median(spent)
    if len(per_bit) < 4:
        return ""
    slow = "overlay" if tunnel < 1 else "direct"
    switch = per_bit["overlay", "switch_busy"] / per_bit["direct", "switch_busy"]
    machine = per_bit["overlay", "cpu_busy"] / per_bit["direct", "cpu_busy"]
    return (
        f"{slow} mode is the slower one; for each bit, the switch works {switch:.2f} times as long in overlay mode as "
        f"in direct mode, the whole machine {machine:.2f} times as long"
    )


def _median(ratio: Ratio | None) -> float | None:
    return ratio.median if ratio else None


def _said(value: float | None) -> str:
    return "no valid pair of runs" if value is None else f"{value:.3f}"


def claims(found: Sequence[Ratio], runs: Sequence[Run]) -> list[str]:
    """What SDN costs and what it gives, as far as these runs say it."""
    said = []
    for loads, what in ((_TCP, "TCP throughput"), (("udp",), "UDP throughput"), (("requests",), "requests per second"),
                        (("connections",), "connections per second")):  # fmt: skip
        medians = [ratio.median for ratio in of_cells(found, "mininetes over plain", loads) if ratio.median is not None]
        if medians:
            pairs = sum(len(ratio.pairs) for ratio in of_cells(found, "mininetes over plain", loads))
            how = f"median of {pairs} pairs" if len(medians) == 1 else (
                f"geometric mean of {len(medians)} cells, each the median of its pairs, {pairs} in all"
            )  # fmt: skip
            said.append(f"{what}: Mininetes has {geometric_mean(medians):.2f} of what the plain data plane has ({how}).")
    for arm in ARMS:
        for loads, what in ((_TCP, "TCP"), (("connections",), "connections")):
            service = overall(found, f"service over pod in {arm}", loads)
            if service is not None and service.median is not None:
                said.append(f"By a Service, {what} in {arm}: {service.median:.2f} of what the pod's own address gives.")
    for arm in ARMS:
        used = [value for cell in cells(runs) if cell.load == "idle"
                if (value := middle(runs, arm, cell, "memory")) is not None]  # fmt: skip
        if used:
            said.append(f"Idle, {arm} takes {median(used) / 1e6:.0f} MB for its own processes.")
    invalid = sum(not run.counts for run in runs)
    if invalid:
        said.append(f"{invalid} of {len(runs)} runs were invalid or failed; they are in no figure.")
    return said


def figures() -> list[dict[str, Any]]:
    return [dict(zip(("name", "unit", "better", "text"), figure, strict=True)) for figure in FIGURES]
