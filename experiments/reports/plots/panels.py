"""Axes with units: from zero, or logarithmic where values differ by more than two orders of magnitude, and said so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, NullLocator

from experiments.reports import units
from experiments.reports.plots import style
from experiments.reports.units import Scale

Which = Literal["x", "y"]
_WIDE = 100.0
"""So many times the smallest value is too much for an axis that starts at zero."""
_ROOM = 1.08


def canvas(height_in: float) -> Canvas:
    return Canvas(figsize=(style.WIDTH_IN, height_in), layout="constrained")


def grid(rows: int, columns: int, panel_height_in: float, same_y: bool = True) -> tuple[Canvas, list[Axes]]:
    """A canvas and its panels, row by row, which share their axes."""
    made = canvas(panel_height_in * rows + 0.7)
    axes = made.subplots(rows, columns, sharex=True, sharey=same_y, squeeze=False)
    return made, list(axes.flat)


def measure(axes: Axes, which: Which, values: Sequence[float], label: str, scale: Scale) -> None:
    """Make an axis for these values (already divided by the scale): label, unit, where it starts."""
    logarithmic = is_wide(values)
    said = ", ".join(part for part in (scale.axis, "logarithmic" if logarithmic else "") if part)
    text = f"{label} ({said})" if said else label
    (axes.set_xlabel if which == "x" else axes.set_ylabel)(text)
    if logarithmic:
        as_powers(axes, which)
    else:
        (axes.set_xlim if which == "x" else axes.set_ylim)(*ends(values))


def is_wide(values: Sequence[float]) -> bool:
    return min(values, default=0) > 0 and max(values) / min(values) > _WIDE


def ends(values: Sequence[float]) -> tuple[float, float]:
    """Of an axis that has zero on it."""
    low, high = min([0.0, *values]), max([0.0, *values])
    return low * _ROOM, high * _ROOM or 1.0


def as_powers(axes: Axes, which: Which) -> None:
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _position: units.digits(value)))
