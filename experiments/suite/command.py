"""mininetes bench suite: what `make perf` runs."""

from __future__ import annotations

from pathlib import Path

import click

from cluster.commands import output_option, print_json, print_table
from experiments import reports
from experiments.suite import run, table
from experiments.suite.run import Options
from experiments.testbed import CommandError, exit_on_sigterm


@click.command("suite")
@click.option("--quick", is_flag=True, help="A selection of the cells: two minutes instead of ten.")
@click.option("--repetitions", type=click.IntRange(min=1), default=Options().repetitions, show_default=True,
              help="How often each cell.")  # fmt: skip
@click.option("--time", "seconds", type=click.FloatRange(min=0.1), default=Options().seconds, show_default=True, metavar="S",
              help="Seconds per measurement; of UDP, rounded up.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="The order of the cells is drawn from it.")
@click.option("--results", type=click.Path(file_okay=False, path_type=Path), default=Path("results"), show_default=True,
              help="Where the result's directory goes.")  # fmt: skip
@output_option("table", "json")
def bench_suite(quick: bool, repetitions: int, seconds: float, seed: int, results: Path, form: str) -> int:
    """The performance suite beside the kernel's own data plane: what SDN costs, and what it gives."""
    exit_on_sigterm()
    try:
        document = run.run(Options(quick, repetitions, seconds, seed), lambda text: click.echo(text, err=True))
    except CommandError as error:
        raise click.ClickException(str(error)) from error
    directory = run.write(document, results)
    reports.write(directory)
    if form == "json":
        print_json(document)
    else:
        print_table(table.HEADER, table.rows(document))
        click.echo()
        for line in table.conclusions(document):
            click.echo(f"- {line}")
    click.echo(f"results.json and report.html in {directory}", err=True)
    return 0 if all(expectation["holds"] is not False for expectation in document["expectations"]) else 1
