"""results.csv: one line per run and figure, with the run's verdict on the same line; units without prefixes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from experiments.reports.result import Result, Run


def text(result: Result) -> str:
    """A run without figures has one line, whose figure is empty."""
    parameters = list(result.parameters)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["experiment", "seed", "order", "arm", *parameters, "repetition", "began", "verdict", "culprits",
                     "error", "figure", "unit", "value"])  # fmt: skip
    for run in result.runs:
        about = [result.name, result.seed, run.order, run.arm, *(run.parameters.get(name) for name in parameters),
                 run.repetition, run.began, run.fidelity.verdict, "; ".join(run.fidelity.culprits), run.error]  # fmt: skip
        writer.writerows([*about, *line] for line in _figures(result, run))
    return buffer.getvalue()


def _figures(result: Result, run: Run) -> Iterator[tuple[str, str, float | str]]:
    if not run.figures:
        yield "", "", ""
    for name, value in run.figures.items():
        figure = result.figure(name)
        yield name, figure.unit if figure else "", value
