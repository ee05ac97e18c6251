"""mininetes experiment."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from cluster.commands import output_option, print_json, print_table
from cluster.problems import Problem, SpecError
from cluster.reading import documents
from cluster.reading.findings import suggestion
from experiments.reports import writing
from experiments.reports.commands import compare, report
from experiments.scripted import fields, file, order, runner
from experiments.scripted.model import Experiment
from experiments.scripted.progress import Bar, Lines, Progress, Silent
from experiments.testbed import exit_on_sigterm

LIBRARY = Path(__file__).parents[1] / "library"


@click.group()
def experiment() -> None:
    """Scripted experiments: a file says the cluster, the steps, what is measured, what is expected."""


@experiment.command("list")
@output_option("table", "json")
def list_(form: str) -> int:
    """The experiments that come with this program."""
    rows = []
    for path in sorted(LIBRARY.glob("*.yaml")):
        read = documents.read([str(path)]).documents
        spec = next(each.data["spec"] for each in read if each.data.get("kind") == fields.KIND)
        rows.append((path.stem, spec.get("title", ""), spec.get("question", "")))
    if form == "json":
        print_json([dict(zip(("name", "title", "question"), row, strict=True)) for row in rows])
    else:
        print_table(("NAME", "TITLE"), (row[:2] for row in rows))
    return 0


@experiment.command()
def schema() -> int:
    """The JSON schema of experiments, for editors."""
    click.echo(json.dumps(fields.published(), indent=1))
    return 0


_seed_option = click.option("--seed", type=click.IntRange(min=0), help="Instead of the file's.")
_repetitions_option = click.option("--repetitions", type=click.IntRange(min=1), help="Instead of the file's.")


@experiment.command()
@click.argument("name")
@_seed_option
@_repetitions_option
@output_option("table", "json")
def plan(name: str, seed: int | None, repetitions: int | None, form: str) -> int:
    """The runs of an experiment in their order, without running any. NAME: of `list`, or a file."""
    read = loaded(name, seed, repetitions)
    planned = order.runs(read)
    if form == "json":
        print_json({"name": read.name, "seed": read.seed, "runs": [
            {"order": run.order, "arm": run.variant.arm, "parameters": dict(run.variant.parameters),
             "repetition": run.repetition} for run in planned
        ]})  # fmt: skip
        return 0
    print_table(("ORDER", "ARM", *(name.upper() for name in read.parameters), "REPETITION"), [
        (run.order, run.variant.arm, *run.variant.parameters.values(), run.repetition) for run in planned
    ])  # fmt: skip
    return 0


@experiment.command()
@click.argument("name")
@_seed_option
@_repetitions_option
@click.option("-d", "--results", "root", type=click.Path(file_okay=False, path_type=Path), default=Path("results"),
              show_default=True, help="Results go below this directory.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Begin anew, though an interrupted one could go on.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def run(name: str, seed: int | None, repetitions: int | None, root: Path, fresh: bool, quiet: bool) -> int:
    """Run an experiment, or go on with an interrupted one. NAME: of `list`, or a file.

    Exit status 1: something that was expected is not so, or a run failed.
    """
    exit_on_sigterm()
    read = loaded(name, seed, repetitions)
    with ExitStack() as stack:
        progress: Progress = Silent() if quiet else Lines()
        if not quiet and sys.stderr.isatty():
            progress = stack.enter_context(Bar())
        path, results = runner.run(read, root, fresh, progress)
    results["claims"] = list(writing.write(path).claims)
    return _tell(path, results)


def _tell(path: Path, results: Mapping[str, Any]) -> int:
    failed = [entry for entry in results["runs"] if entry["error"]]
    for expected in results["expectations"]:
        word = {True: "yes", False: "NO", None: "not decided"}[expected["holds"]]
        click.echo(f"{word}: {expected['text']} ({expected['found']})")
    for ratio in results["ratios"]:
        by = ", ".join(f"{key}={value}" for key, value in ratio["by"].items())
        click.echo(f"{ratio['name']}{f' ({by})' if by else ''}: {ratio['median']:.3f}, median of {len(ratio['pairs'])}")
    for entry in failed:
        click.echo(f"run {entry['order']} failed: {entry['error']}", err=True)
    for claim in results["claims"]:
        click.echo(claim)
    click.echo(str(path / writing.PAGE))
    return 1 if failed or any(expected["holds"] is False for expected in results["expectations"]) else 0


experiment.add_command(compare)
experiment.add_command(report)


def loaded(name: str, seed: int | None, repetitions: int | None) -> Experiment:
    """An experiment of the library by name, or of a file. Raises SpecError."""
    read = file.load(path_of(name))
    if seed is not None:
        read = replace(read, seed=seed)
    return read if repetitions is None else replace(read, repetitions=repetitions)


def path_of(name: str) -> Path:
    """Raises SpecError when there is neither such a file nor such an experiment."""
    known = [path.stem for path in sorted(LIBRARY.glob("*.yaml"))]
    if name in known:
        return LIBRARY / f"{name}.yaml"
    if Path(name).is_file():
        return Path(name)
    hint = suggestion(name, known) or f" (have: {', '.join(known) or 'none'})"
    raise SpecError([Problem(name, 0, "", "", f"there is no such file, and no experiment of that name{hint}")])
