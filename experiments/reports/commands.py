"""mininetes experiment report, mininetes experiment compare."""

from __future__ import annotations

from pathlib import Path

import click

from cluster.commands import output_option, print_json, print_table
from experiments.reports import comparison, result, writing

_RESULT = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
def report(directory: Path) -> int:
    """Write results.csv, plots and report.html again from DIRECTORY/results.json, and print what it says."""
    for claim in writing.write(directory).claims:
        click.echo(claim)
    click.echo(f"written: {directory / writing.PAGE}", err=True)
    return 0


@click.command()
@click.argument("a", type=_RESULT)
@click.argument("b", type=_RESULT)
@output_option("table", "json")
def compare(a: Path, b: Path, form: str) -> int:
    """Two results figure by figure: medians [valid runs], B over A, and whether they differ by more than repetitions do.

    A and B are directories with a results.json, or such files. Exit status 1: a figure of B is worse.
    """
    before, after = result.read(result.place(a)), result.read(result.place(b))
    lines, notices = comparison.lines(before, after), list(comparison.notices(before, after))
    if not lines:
        raise click.UsageError(f"nothing to compare: no figure of {before.name!r} is one of {after.name!r}")
    if form == "json":
        print_json({"lines": [line.as_json() for line in lines], "notices": notices})
    else:
        print_table(("FIGURE", "A", "B", "B/A", "SPREAD", "DIFFERENCE"), [line.row() for line in lines])
        for notice in notices:
            click.echo(f"notice: {notice}", err=True)
    return 1 if any(line.word == "worse" for line in lines) else 0
