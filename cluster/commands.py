"""The `mininetes` command: where each of its subcommands lives, and what errors become.

Subcommands are named here by module and loaded when called, so that this room need not import the others, and
`mininetes list` need not load a controller.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

from cluster.client import ApiError, NotInSyncError
from cluster.problems import MachineError, NoTestbedError, SpecError
from cluster.run_directory import NAME_VARIABLE

_COMMANDS = {
    "up": "topo.commands.lifecycle:up",
    "down": "topo.commands.lifecycle:down",
    "list": "topo.commands.lifecycle:list_testbeds",
    "clean": "topo.commands.lifecycle:clean",
    "sync": "topo.commands.inspect:sync",
    "status": "topo.commands.inspect:status",
    "kubectl": "topo.commands.kubectl:kubectl",
    "kubeconfig": "topo.commands.kubectl:kubeconfig",
    "exec": "topo.commands.enter:exec_",
    "cli": "topo.commands.prompt:cli",
    "fault": "topo.commands.fault:fault",
    "matrix": "topo.commands.matrix:matrix",
    "check": "controller.check_command:check",
    "plan": "controller.commands:plan",
    "flows": "controller.commands:flows",
    "trace": "controller.trace_commands:trace",
    "outside": "experiments.outside_command:outside",
    "perf": "experiments.commands:perf",
    "bench": "experiments.commands:bench",
    "experiment": "experiments.scripted.commands:experiment",
    "vm": "topo.commands.vm:vm",
}
"""Subcommand -> where its click command is, in the order of the help text."""


class _LazyGroup(click.Group):
    """A group that imports a subcommand when it is called or described."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mininetes")
def _root() -> None:
    """Run a Kubernetes cluster's network for real, on this machine, from its manifests."""


_Command = TypeVar("_Command", bound=Callable[..., Any])

name_option = click.option(
    "--name", metavar="N", envvar=NAME_VARIABLE, show_envvar=True,
    help="Which testbed; can be left out while only one runs.",
)  # fmt: skip
files_option = click.option(
    "-f", "--filename", "files", metavar="FILE", multiple=True, help="A file, a directory, or - for standard input."
)


def output_option(*formats: str) -> Callable[[_Command], _Command]:
    """`-o`, with the first format as the default."""
    return click.option(
        "-o", "--output", "form", type=click.Choice(formats), default=formats[0], show_default=True, help="Output form."
    )


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=1))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns aligned with spaces and a headline in capitals, as kubectl prints them."""
    lines = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    for line in lines:
        click.echo("   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def main() -> None:
    """The console script. Exit status: 0 yes, 1 no, 2 the input is wrong, 3 the machine lacks something."""
    try:
        status = _root(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except click.exceptions.Exit as request:
        status = request.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        status = 130
    except (SpecError, NoTestbedError, MachineError) as error:
        click.echo(str(error), err=True)
        status = error.exit_status
    except NotInSyncError as error:
        for missing in error.missing:
            click.echo(f"{missing.subject}: {missing.reason}", err=True)
        status = 1
    except ApiError as error:
        click.echo(str(error), err=True)
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
