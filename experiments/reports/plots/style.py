"""How all plots look. Colours are Okabe and Ito's, which colour-blind readers tell apart; markers differ as well."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from experiments.reports.result import Run

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "*")
SET_ASIDE = "#8a8a8a"
INK, FAINT = "#222222", "#dddddd"
WIDTH_IN = 8.0
_DOTS_PER_INCH = 150
_SETTINGS: Any = {
    "font.family": "DejaVu Sans", "font.size": 9.5, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": "#777777",
    "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "axes.grid": True, "grid.color": FAINT, "grid.linewidth": 0.7, "axes.titlesize": 9.5, "axes.titlelocation": "left",
    "legend.frameon": False, "figure.facecolor": "white", "svg.fonttype": "path", "svg.hashsalt": "mininetes",
}  # fmt: skip
"""Letters as outlines, so that a plot looks the same everywhere; the salt makes the same plot the same bytes."""


@dataclass(frozen=True, slots=True)
class Plot:
    """`name` becomes a file's; `title` is its heading, `text` says in words what is drawn, for who cannot see it."""

    name: str
    title: str
    text: str
    canvas: Canvas
    aside: bool = False
    """Whether it is about the machine rather than about the question."""


@dataclass(frozen=True, slots=True)
class Arms:
    """The arms of a result, in its order: the position decides colour and marker."""

    names: tuple[str, ...]

    def colour(self, arm: str) -> str:
        return COLOURS[self.names.index(arm) % len(COLOURS)]

    def marker(self, arm: str) -> str:
        return MARKERS[self.names.index(arm) % len(MARKERS)]

    def dodge(self, arm: str) -> float:
        """Where its points stand among those of the others: from -0.5 to 0.5, 0 when it is the only one."""
        return (self.names.index(arm) + 0.5) / len(self.names) - 0.5


@contextmanager
def settings() -> Iterator[None]:
    with matplotlib.rc_context(_SETTINGS):
        yield


def file_name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def points(arms: Arms, arm: str, runs: Sequence[Run], counted: bool) -> dict[str, Any]:
    """Keyword arguments of a scatter of these runs: hollow where not wholly valid, a cross where not counted."""
    colour = arms.colour(arm)
    if not counted:
        return {"marker": "x", "c": colour, "s": 30, "linewidths": 1.3, "alpha": 0.65, "zorder": 3, "clip_on": False}
    faces = [colour if run.fidelity.verdict == "valid" else "white" for run in runs]
    return {
        "marker": arms.marker(arm), "c": faces, "edgecolors": colour, "s": 22, "linewidths": 1.1, "alpha": 0.8,
        "zorder": 3, "clip_on": False,
    }  # fmt: skip


def key(canvas: Canvas, arms: Arms, runs: Sequence[Run], set_aside: bool, names: bool = True) -> None:
    """The legend above the axes: arms, and what hollow points and crosses mean where there are any."""
    handles: list[Artist] = []
    if names:
        handles += [_handle(arms.marker(arm), arms.colour(arm), arms.colour(arm), arm) for arm in arms.names]
    handles += [_handle("o", INK, "white", f"hollow: {word} run") for word in _doubtful(runs)]
    if set_aside:
        handles.append(_handle("x", SET_ASIDE, SET_ASIDE, "invalid run, in no median"))
    if handles:
        canvas.legend(handles=handles, loc="outside upper left", ncols=min(len(handles), 4), handletextpad=0.3)


def line(arms: Arms, run: Run) -> dict[str, Any]:
    """Keyword arguments of a run's line over time: dashed where not wholly valid, dots where the run does not count."""
    if not run.counts:
        return {"color": arms.colour(run.arm), "linewidth": 1.1, "linestyle": ":", "alpha": 0.75, "zorder": 1}
    form = "-" if run.fidelity.verdict == "valid" else "--"
    return {"color": arms.colour(run.arm), "linewidth": 1.2, "linestyle": form, "alpha": 0.75, "zorder": 2}


def key_of_lines(canvas: Canvas, arms: Arms, runs: Sequence[Run]) -> None:
    handles: list[Artist] = [
        Line2D([], [], color=arms.colour(arm), label=arm) for arm in arms.names if any(run.arm == arm for run in runs)
    ]
    handles += [Line2D([], [], color=INK, linestyle="--", label=f"{word} run") for word in _doubtful(runs)]
    if any(not run.counts for run in runs):
        handles.append(Line2D([], [], color=SET_ASIDE, linestyle=":", label="invalid run"))
    canvas.legend(handles=handles, loc="outside upper left", ncols=4)


def _doubtful(runs: Sequence[Run]) -> list[str]:
    """Which verdicts there are between valid and invalid."""
    return sorted({run.fidelity.verdict for run in runs} - {"valid", "invalid"})


def _handle(marker: str, colour: str, face: str, label: str) -> Line2D:
    return Line2D([], [], linestyle="", marker=marker, color=colour, markerfacecolor=face, label=label)


def svg(plot: Plot) -> str:
    """One element without declarations, metadata or addresses; its ids begin with the plot's name."""
    buffer = io.StringIO()
    with settings():
        plot.canvas.savefig(buffer, format="svg", metadata={"Date": None})
    text = re.sub(r"<metadata>.*?</metadata>", "", buffer.getvalue(), flags=re.DOTALL)
    text = text[text.index("<svg") :]
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{plot.name}-", text)


def save(plot: Plot, directory: Path) -> None:
    (directory / f"{plot.name}.svg").write_text(f'<?xml version="1.0" encoding="utf-8"?>\n{svg(plot)}')
    with settings():
        plot.canvas.savefig(directory / f"{plot.name}.png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
