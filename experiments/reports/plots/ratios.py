"""Pairs of runs as ratios, row by row; 1 is where there is no difference."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from experiments.reports import units
from experiments.reports.plots import panels, style
from experiments.reports.plots.style import Plot
from experiments.reports.result import Ratio, Result

_ROW_IN, _ROOM_IN, _MARGIN = 0.31, 0.8, 0.06
_COLOUR = "#444444"


def plot(result: Result) -> Plot | None:
    """None when no ratio has a pair."""
    drawn = [ratio for ratio in result.ratios if ratio.pairs]
    if not drawn:
        return None
    with style.settings():
        canvas = panels.canvas(_ROW_IN * len(drawn) + _ROOM_IN)
        axes = canvas.subplots()
        for row, ratio in enumerate(drawn):
            _row(axes, row, ratio)
        _frame(axes, drawn)
    text = "Each point is a pair of runs of the same repetition, strokes are medians; at 1 both arms would be equal."
    return Plot("ratios", "Arm over arm", text, canvas)


def _row(axes: Axes, row: int, ratio: Ratio) -> None:
    axes.scatter(ratio.pairs, [row] * len(ratio.pairs), c=_COLOUR, s=20, alpha=0.75, zorder=3)
    if ratio.median is not None:
        axes.plot([ratio.median] * 2, [row - 0.33, row + 0.33], color=style.COLOURS[0], linewidth=2.6, zorder=2)
        said = units.digits(ratio.median)
        axes.annotate(said, (1.01, row), xycoords=("axes fraction", "data"), va="center", annotation_clip=False)


def _frame(axes: Axes, drawn: Sequence[Ratio]) -> None:
    pairs = [pair for ratio in drawn for pair in ratio.pairs]
    axes.axvline(1, color=style.INK, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.set_yticks(range(len(drawn)), [ratio.label.replace("_", " ") for ratio in drawn])
    axes.set_ylim(len(drawn) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("ratio")
    if panels.is_wide(pairs):
        panels.as_powers(axes, "x")
        axes.set_xlabel("ratio (logarithmic)")
    else:
        low, high = min(1.0, *pairs, 1.0), max(1.0, *pairs, 1.0)
        room = max((high - low) * _MARGIN, 0.01)
        axes.set_xlim(low - room, high + room)
