"""From results.json to everything that is read of it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from experiments.reports import claims, result
from experiments.reports.result import Result

TABLE, PAGE, PLOTS = "results.csv", "report.html", "plots"


def write(directory: Path) -> Result:
    """Put the claims into results.json, and results.csv, plots and report.html beside it. Raises SpecError."""
    from experiments.reports import drawing, page, table  # matplotlib takes a second: only who draws pays for it
    from experiments.reports.plots import style

    file = directory / result.FILE
    found = result.read(file)
    found = replace(found, claims=claims.of(found))
    _replace(file, json.dumps(json.loads(file.read_text()) | {"claims": found.claims}, indent=1) + "\n")
    _replace(directory / TABLE, table.text(found))
    plots = list(drawing.plots(found))
    (directory / PLOTS).mkdir(exist_ok=True)
    for plot in plots:
        style.save(plot, directory / PLOTS)
    _replace(directory / PAGE, page.text(found, plots))
    return found


def _replace(path: Path, text: str) -> None:
    """In one step: an interruption leaves the file as it was."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)
