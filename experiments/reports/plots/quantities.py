"""One figure: along the parameter that is swept, with a line through the medians; or row by row where none is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from experiments.reports import summary, units
from experiments.reports.plots import panels, style
from experiments.reports.plots.style import Arms, Plot
from experiments.reports.result import Figure, Result, Run
from experiments.reports.summary import Group, Parameters
from experiments.reports.units import Scale

_PANEL_IN, _ROW_IN, _ROW_ROOM = 3.1, 0.29, 0.8
_SIDE_BY_SIDE = 0.1
"""Of the distance between two values on the axis: where the arms' points stand beside each other."""
_STROKE = 0.36


@dataclass(frozen=True, slots=True)
class _Drawing:
    figure: Figure
    groups: tuple[Group, ...]
    arms: Arms
    scale: Scale

    @property
    def title(self) -> str:
        return self.figure.name.replace("_", " ")

    @property
    def values(self) -> list[float]:
        """Of all runs, also of those that do not count, on the axis."""
        return [value for group in self.groups for value in self.on_axis(group.runs)]

    def on_axis(self, runs: Sequence[Run]) -> list[float]:
        return [self.scale.of(run.figures[self.figure.name]) for run in runs if self.figure.name in run.figures]

    def set_aside(self, group: Group) -> list[Run]:
        return [run for run in group.set_aside if self.figure.name in run.figures]

    def key(self, canvas: Canvas, names: bool) -> None:
        runs = [run for group in self.groups for run in group.counted]
        style.key(canvas, self.arms, runs, any(self.set_aside(group) for group in self.groups), names)


def plot(result: Result, figure: Figure) -> Plot | None:
    """None when no run has this figure."""
    groups = summary.groups(result, figure)
    values = [run.figures[figure.name] for group in groups for run in group.runs if figure.name in run.figures]
    if not values:
        return None
    drawing = _Drawing(figure, groups, Arms(result.arms), units.scale(figure.unit, values))
    along = summary.swept(result)
    with style.settings():
        canvas = _rows(drawing) if along is None else _lines(drawing, along, result.parameters[along])
    medians = "the upright strokes" if along is None else "joined by lines"
    text = f"{figure.text} Every run is a point; medians are {medians}."
    return Plot(style.file_name(figure.name), drawing.title, text, canvas)


def _lines(drawing: _Drawing, along: str, values: Sequence[object]) -> Canvas:
    """A panel for each combination of the other parameters."""
    at = [float(str(value)) for value in values]
    logarithmic = panels.is_wide([max(at), max(min(at), 1e-9)])
    placed: dict[Parameters, list[tuple[float, Group]]] = {}
    for group in drawing.groups:
        rest = tuple(item for item in group.parameters if item[0] != along)
        placed.setdefault(rest, []).append((float(str(dict(group.parameters)[along])), group))
    columns = min(len(placed), 2)
    canvas, axes = panels.grid(-(-len(placed) // columns), columns, _PANEL_IN)
    for panel, (rest, groups) in zip(axes, placed.items(), strict=False):
        panel.set_title(summary.said(rest))
        panel.set_xlabel(along.replace("_", " ") + (" (logarithmic)" if logarithmic else ""))
        if logarithmic:
            panels.as_powers(panel, "x")
        for arm in drawing.arms.names:
            mine = [(x, group) for x, group in groups if group.arm == arm]
            _line(panel, drawing, arm, mine, _beside(sorted(at), logarithmic, drawing.arms.dodge(arm)))
        panels.measure(panel, "y", drawing.values, drawing.title, drawing.scale)
    for panel in axes[len(placed) :]:
        panel.set_axis_off()
    drawing.key(canvas, len(drawing.arms.names) > 1)
    return canvas


def _beside(at: Sequence[float], logarithmic: bool, dodge: float) -> Mapping[float, float]:
    """Where the points of an arm stand instead of exactly at the value."""
    share = _SIDE_BY_SIDE * dodge
    if logarithmic:
        step = min(later / earlier for earlier, later in pairwise(at))
        return {x: x * step**share for x in at}
    step = min(later - earlier for earlier, later in pairwise(at))
    return {x: x + step * share for x in at}


def _line(
    panel: Axes, drawing: _Drawing, arm: str, placed: Sequence[tuple[float, Group]], at: Mapping[float, float]
) -> None:
    medians = [(at[x], drawing.scale.of(group.median)) for x, group in placed if group.median is not None]
    panel.plot(*zip(*medians, strict=True) if medians else ((), ()), color=drawing.arms.colour(arm), linewidth=1.6, zorder=2)
    for x, group in placed:
        for runs, counted in ((group.counted, True), (drawing.set_aside(group), False)):
            heights = drawing.on_axis(runs)
            panel.scatter([at[x]] * len(heights), heights, **style.points(drawing.arms, arm, runs, counted))


def _rows(drawing: _Drawing) -> Canvas:
    """A row per arm, in blocks of the same parameters; the median stands at the end of its row."""
    blocks = list(dict.fromkeys(group.parameters for group in drawing.groups))
    alone = blocks == [()]
    canvas = panels.canvas(_ROW_IN * (len(drawing.groups) + 0.6 * len(blocks)) + _ROW_ROOM)
    axes = canvas.subplots()
    ticks, y = [], 0.0
    for block in blocks:
        groups = [group for group in drawing.groups if group.parameters == block]
        ticks.append((y + (len(groups) - 1) / 2, summary.said(block)))
        for group in groups:
            _row(axes, drawing, group, y)
            y += 1
        y += 0.6
    if alone:
        ticks = [(float(row), group.arm) for row, group in enumerate(drawing.groups)]
    axes.set_yticks([place for place, _ in ticks], [label for _, label in ticks])
    axes.set_ylim(y - 1.1, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    panels.measure(axes, "x", drawing.values, drawing.title, drawing.scale)
    drawing.key(canvas, not alone)
    return canvas


def _row(axes: Axes, drawing: _Drawing, group: Group, y: float) -> None:
    for runs, counted in ((group.counted, True), (drawing.set_aside(group), False)):
        across = drawing.on_axis(runs)
        axes.scatter(across, [y] * len(across), **style.points(drawing.arms, group.arm, runs, counted))
    if group.median is not None:
        middle = drawing.scale.of(group.median)
        axes.plot([middle] * 2, [y - _STROKE, y + _STROKE], color=drawing.arms.colour(group.arm), linewidth=2.6, zorder=2)
    said = "no valid run" if group.median is None else drawing.scale.text(group.median)
    axes.annotate(said, (1.01, y), xycoords=("axes fraction", "data"), va="center", annotation_clip=False)
