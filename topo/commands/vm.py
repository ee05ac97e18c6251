"""mininetes vm: a shell, or a command, in a virtual machine of this machine's own files with the kernel datapath."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from cluster.run_directory import API_PORT_VARIABLE
from topo import sandbox
from topo.vm import fetch, host, image, qemu, shares, terminal
from topo.vm.initramfs import Start
from topo.vm.protocol import Command

_NOT_FOR_GUESTS = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK")
"""They name sockets of the host's."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--fetch", "fetching", is_flag=True, help="Only fetch Debian's kernel, unpacked into a cache, not installed.")
@click.option("--fetch-missing", is_flag=True, help="The same, if there is no kernel yet that can be used.")
@click.option("--memory", "memory_mib", default=2048, show_default=True, metavar="MIB", help="Of the machine; files written count.")
@click.option("--processors", default=min(os.cpu_count() or 1, 4), metavar="N", help="Of the machine; four, or all there are.")
@click.option("--results", default="results", show_default=True, metavar="DIR", help="Files below it are the host's, too.")
@click.option("--kubeconfig", metavar="FILE", help="Write the kubeconfig of the testbed in there to this file of the host.")
@click.option("--forward", "forwards", type=int, multiple=True, metavar="PORT", help="One more port to reach from the host.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing about the machine itself.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def vm(
    fetching: bool, fetch_missing: bool, memory_mib: int, processors: int, results: str, kubeconfig: str | None, forwards: tuple[int, ...],
    quiet: bool, command: tuple[str, ...],
) -> int:  # fmt: skip
    """A shell, or COMMAND, in a virtual machine with Open vSwitch's kernel datapath, netem and SCTP.

    The machine's files are this one's; what is written in there is gone with it, but for the results folder. The exit
    status is the command's. It ends with the command, and with this program, however that ends.
    """
    def tell(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    if fetch_missing and image.is_there():
        return 0
    if fetching or fetch_missing:
        version = fetch.fetch(image.fetched_folder())
        tell(f"Linux {version} is in {image.fetched_folder()}")
        return 0
    qemu.check()
    found = image.find()
    # In there it would be done by an emulated processor, and once for every start: half a minute each.
    sandbox.compile_services()
    with ExitStack() as stack:
        writable = stack.enter_context(shares.results(Path(results)))
        api_port = _free_port()
        ports = [qemu.Forward(port) for port in (api_port, *forwards)]
        machine = qemu.Machine(processors, memory_mib, (shares.ROOT, writable), ports)
        if kubeconfig is not None:
            stack.callback(Path(kubeconfig).unlink, missing_ok=True)
        return host.Run(
            machine, found, Start(sys.executable, str(Path(__file__).parents[2])), _command(command, api_port),
            Path(kubeconfig) if kubeconfig else None, tell,
        )()  # fmt: skip


def _command(argv: tuple[str, ...], api_port: int) -> Command:
    environment = {key: value for key, value in os.environ.items() if key not in _NOT_FOR_GUESTS}
    environment[API_PORT_VARIABLE] = str(api_port)
    size = terminal.size() if terminal.has_terminal() else None
    return Command(argv or (os.environ.get("SHELL", "/bin/sh"),), os.getcwd(), environment, size, api_port)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
