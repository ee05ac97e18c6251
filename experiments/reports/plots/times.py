"""What changed while a run went on: samples of the machine, series of the load, and when something was done to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from experiments.reports import summary, units
from experiments.reports.plots import panels, style
from experiments.reports.plots.style import Arms, Plot
from experiments.reports.result import Result, Run, Series, Step, Unit
from experiments.reports.summary import Parameters
from experiments.reports.units import Scale

_PANEL_IN = 1.75
_MOST_PANELS = 8
_NEXT_TO_NOTHING = 0.05
"""Of the largest value in any panel: what stays below is not drawn."""
_NEAR, _LOWER = 0.2, 0.14
"""Of the axes: names of events that are nearer to each other stand below each other."""
_EVENTS = frozenset({"fault", "apply", "delete", "scale"})
"""Kinds of steps that change something; they are marked when a measurement was going on."""


_Panel = tuple[str, Parameters]
"""What stands behind the "/" of a name, and the parameters: what has a panel of its own."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One run's values under one name; `part` is what stands behind the "/"."""

    run: Run
    part: str
    parameters: Parameters
    series: Series


def plots(result: Result) -> Iterator[Plot]:
    """One plot for each name; those of steps first, since they are what the load saw."""
    found: dict[tuple[bool, str], list[_Line]] = {}
    for run in result.runs:
        for aside, name, series in _named(run):
            stem, _, part = name.partition("/")
            chosen = tuple((parameter, run.parameters[parameter]) for parameter in result.parameters)
            if series:
                found.setdefault((aside, stem), []).append(_Line(run, part, chosen, series))
    for (aside, stem), lines in sorted(found.items(), key=lambda item: item[0][0]):
        yield _plot(result, stem, aside, lines)


def _named(run: Run) -> Iterator[tuple[bool, str, Series]]:
    for step in run.steps:
        for name, series in step.series.items():
            yield False, f"{step.name}: {name}", series
    for name, series in run.samples.items():
        yield True, name, series


def _plot(result: Result, stem: str, aside: bool, lines: Sequence[_Line]) -> Plot:
    quantity = stem.rpartition(": ")[2]
    factor, unit = _unit(result, stem, quantity, lines[0].part)
    tops: dict[_Panel, float] = {}
    for line in lines:
        key = (line.part, line.parameters)
        tops[key] = max(tops.get(key, 0.0), *(factor * value for _, value in line.series))
    drawn = _drawn(tops)
    scale = units.scale(unit, tops.values())
    label = _without_unit(quantity)
    with style.settings():
        canvas, axes = panels.grid(len(drawn), 1, _PANEL_IN)
        shown = [line for line in lines if (line.part, line.parameters) in drawn]
        values = [scale.of(factor * value) for line in shown for _, value in line.series]
        for panel, (part, parameters) in zip(axes, drawn, strict=True):
            mine = [line for line in shown if (line.part, line.parameters) == (part, parameters)]
            panel.set_title(", ".join(filter(None, (part, summary.said(parameters)))))
            _panel(panel, Arms(result.arms), mine, factor, scale)
            panels.measure(panel, "y", values, label, scale)
        axes[-1].set_xlabel("time since the run began (s)")
        axes[-1].set_xlim(left=0)
        runs = [line.run for line in shown]
        style.key_of_lines(canvas, Arms(result.arms), runs)
    left_out = len(tops) - len(drawn)
    text = f"{stem} over time, one line per run." + (f" {left_out} with smaller values are not drawn." if left_out else "")
    return Plot(style.file_name(f"time {stem}"), stem.replace("_", " "), text, canvas, aside)


def _drawn(tops: Mapping[_Panel, float]) -> list[_Panel]:
    """The panels with the largest values, in their own order."""
    least = _NEXT_TO_NOTHING * max(tops.values())
    largest = sorted((key for key in tops if tops[key] >= least), key=tops.__getitem__, reverse=True)[:_MOST_PANELS]
    return sorted(largest, key=list(tops).index)


def _unit(result: Result, stem: str, quantity: str, part: str) -> tuple[float, Unit]:
    """Of the figure of that name, if there is one; else as the name's suffix says."""
    names = (stem.replace(": ", "."), f"{quantity}/{part}", quantity)
    figure = next(filter(None, map(result.figure, names)), None)
    return (1.0, figure.unit) if figure else units.of_name(quantity)


def _panel(panel: Axes, arms: Arms, lines: Sequence[_Line], factor: float, scale: Scale) -> None:
    for line in lines:
        at, values = zip(*line.series, strict=True)
        panel.plot(at, [scale.of(factor * value) for value in values], **style.line(arms, line.run))
    if lines:
        _mark(panel, next((line.run for line in lines if line.run.counts), lines[0].run))


def _mark(panel: Axes, run: Run) -> None:
    """When something was done, as a line with its name: of one run, since others differ by fractions of a second."""
    loads = [step for step in run.steps if step.series]
    events = [step for step in run.steps if step.kind in _EVENTS and any(_went_on(load, step.at_s) for load in loads)]
    end = panel.get_xlim()[1]
    lower, before = 0, -end
    for event in sorted(events, key=lambda step: step.at_s):
        lower = lower + 1 if event.at_s - before < _NEAR * end else 0
        before = event.at_s
        left = event.at_s > (1 - _NEAR) * end
        if event.given_s is not None:
            # What is broken may be so at any moment between the command and its end.
            panel.axvspan(event.given_s, event.at_s, color=style.INK, alpha=0.1, linewidth=0)
        panel.axvline(event.at_s, color=style.INK, linewidth=0.9, linestyle=(0, (2, 2)))
        panel.annotate(event.name, (event.at_s, 0.98 - _LOWER * lower), xycoords=("data", "axes fraction"),
                       xytext=(-3 if left else 3, 0), textcoords="offset points", ha="right" if left else "left",
                       va="top", fontsize=8,
                       bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1})  # fmt: skip


def _went_on(load: Step, at_s: float) -> bool:
    return load.at_s <= at_s <= load.at_s + load.seconds


def _without_unit(name: str) -> str:
    suffix = next((suffix for suffix in units.SUFFIXES if name.endswith(suffix)), "")
    return name.removesuffix(suffix).replace("_", " ")
