"""mininetes kubectl, kubeconfig."""

from __future__ import annotations

import os
import shutil

import click

from cluster.commands import name_option
from cluster.problems import MachineError
from topo import sandbox
from topo.sandbox import Testbed
from topo.waiting import wait_until

_PATIENCE_S = 10.0


@click.command()
@name_option
def kubeconfig(name: str | None) -> int:
    """Print the path of the testbed's kubeconfig: export KUBECONFIG=$(mininetes kubeconfig)"""
    click.echo(_kubeconfig(sandbox.find(name)))
    return 0


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": ["--help"]}
)
@name_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def kubectl(name: str | None, arguments: tuple[str, ...]) -> int:
    """Run kubectl on the testbed. Its exit status is kubectl's."""
    testbed = sandbox.find(name)
    program = shutil.which("kubectl")
    if program is None:
        raise MachineError("the program 'kubectl' is not there; run: sudo apt-get install kubernetes-client")
    os.execve(program, ["kubectl", *arguments], {**os.environ, "KUBECONFIG": _kubeconfig(testbed)})


def _kubeconfig(testbed: Testbed) -> str:
    """The path of the file, once the API server has written it."""
    wait_until(testbed.kubeconfig.exists, _PATIENCE_S, f"the API server of testbed {testbed.name} to write kubeconfig")
    return str(testbed.kubeconfig)
