"""mininetes up, down, list, clean."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Sequence

import click

from cluster import seed
from cluster.apiserver import pki
from cluster.client import BROKEN, Client, NotInSyncError
from cluster.commands import files_option, name_option, output_option, print_json, print_table
from cluster.model import Cluster
from cluster.problems import MachineError, NoTestbedError
from cluster.reading.spec import Spec, load
from cluster.run_directory import API_PORT_VARIABLE, NAME_VARIABLE, PKI, SEED
from cluster.settled import Missing
from topo import init, machine, port_mappings, sandbox
from topo.commands.inspect import print_status
from topo.sandbox import Testbed

_LOOK_S = 0.5
_SHOWN = 3
_API_BACKLOG = 128


@click.command()
@files_option
@name_option
@click.option("--timeout", "timeout_s", default=300.0, show_default=True, metavar="S", help="Seconds to wait.")
@click.option("-q", "--quiet", is_flag=True, help="No notices, no progress, no tables.")
def up(files: tuple[str, ...], name: str | None, timeout_s: float, quiet: bool) -> int:
    """Start a testbed from manifests; return when everything in them is realised.

    Exit status 1: something is not realised within the timeout (the testbed stays, to be looked at).
    """
    began = time.monotonic()
    spec = load(files, sys.stdin.buffer)
    machine.check(spec.cluster, spec.objects)
    if not quiet:
        for notice in spec.notices:
            click.echo(f"notice: {notice}", err=True)
    with _api_listener(spec.cluster) as listener, port_mappings.opened(spec.cluster) as mapped:
        testbed = sandbox.create(name or spec.cluster.name)
        _start(testbed, spec, [listener, *mapped])
        ways_in = list(map(port_mappings.told, spec.cluster.port_mappings, mapped))
    missing = _wait(testbed, timeout_s, quiet)
    if missing:
        click.echo(f"testbed {testbed.name!r} runs, but after {timeout_s:g} s this is missing:", err=True)
        for one in missing:
            click.echo(f"  {one.subject}: {one.reason}", err=True)
        return 1
    if not quiet:
        print_status(testbed)
        for way_in in ways_in:
            click.echo(way_in, err=True)
        click.echo(f"testbed {testbed.name!r} is up after {time.monotonic() - began:.1f} s", err=True)
    return 0


def _api_listener(cluster: Cluster) -> socket.socket:
    """The socket on the host where the API server will answer. Raises MachineError when the port is not to be had."""
    address = cluster.api_server_address
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    forwarded = os.environ.get(API_PORT_VARIABLE)
    if forwarded and not cluster.api_server_port:
        with contextlib.suppress(OSError):  # another testbed of this machine has it
            listener.bind((address, int(forwarded)))
            listener.listen(_API_BACKLOG)
            return listener
    try:
        listener.bind((address, cluster.api_server_port))
    except OSError as error:
        listener.close()
        port = cluster.api_server_port
        raise MachineError(
            f"the API server cannot listen on {address} port {port}: {error.strerror}; "
            "choose networking.apiServerAddress and networking.apiServerPort so that it can"
        ) from error
    listener.listen(_API_BACKLOG)
    return listener


def _start(testbed: Testbed, spec: Spec, listeners: Sequence[socket.socket]) -> None:
    seed.write(testbed.directory / SEED, spec.cluster_document, spec.documents)
    try:
        sandbox.start(testbed, testbed.directory / "init.log", listeners, init.main)
    except BaseException:
        sandbox.stop(testbed)
        raise
    # While what was started loads: made by the API server, they would keep the first pods waiting.
    try:
        pki.ensure(testbed.directory / PKI, pki.server_names(spec.cluster, listeners[0].getsockname()[0]))
    except FileNotFoundError as error:
        raise NoTestbedError(f"testbed {testbed.name!r} was ended before it was up") from error


def _wait(testbed: Testbed, timeout_s: float, quiet: bool) -> tuple[Missing, ...]:
    """Wait for everything to be realised, telling what is still missing; the rest when the time is over."""
    client = Client(testbed.api_socket, patience_s=_LOOK_S)
    deadline = time.monotonic() + timeout_s
    told = ""
    while True:
        remaining = deadline - time.monotonic()
        try:
            client.sync(min(_LOOK_S, max(remaining, 0)), shown=_SHOWN if remaining > 0 else None)
            return ()
        except NotInSyncError as error:
            missing, count = error.missing, error.count
        except BROKEN:
            # Its process has not come so far yet, or was restarted: on a slow machine that takes longer than patience.
            missing, count = (Missing("api", "the API server does not answer yet"),), 1
        if not testbed.alive:
            raise NoTestbedError(f"testbed {testbed.name!r} has ended; its last words are in {testbed.directory}")
        if remaining <= 0:
            return missing
        summary = _summary(missing, count)
        if not quiet and summary != told:
            told = summary
            click.echo(f"waiting for {summary}", err=True)


def _summary(missing: tuple[Missing, ...], count: int) -> str:
    names = ", ".join(one.subject for one in missing)
    more = count - len(missing)
    return f"{names} and {more} more" if more > 0 else names


@click.command()
@click.argument("names", nargs=-1, envvar=NAME_VARIABLE)
@click.option("--all", "every", is_flag=True, help="All testbeds of this user.")
def down(names: tuple[str, ...], every: bool) -> int:
    """End testbeds and everything in them. Without a name: the only one that runs."""
    if every:
        testbeds = [testbed for testbed in sandbox.testbeds() if testbed.alive]
    else:
        testbeds = [sandbox.find(name) for name in names] or [sandbox.find(None)]
    for testbed in testbeds:
        sandbox.stop(testbed)
        click.echo(f"testbed {testbed.name!r} is down", err=True)
    return 0


@click.command("list")
@output_option("table", "json")
def list_testbeds(form: str) -> int:
    """The testbeds of this user that are running."""
    rows = []
    for testbed in sandbox.testbeds():
        if testbed.alive:
            _, objects = Client(testbed.api_socket).objects(["Node", "Pod"])
            kinds = [obj["kind"] for obj in objects]
            rows.append((testbed.name, kinds.count("Node"), kinds.count("Pod"), testbed.pid))
    if form == "json":
        print_json([dict(zip(("name", "nodes", "pods", "pid"), row, strict=True)) for row in rows])
    else:
        print_table(("NAME", "NODES", "PODS", "PID"), rows)
    return 0


@click.command()
def clean() -> int:
    """Forget testbeds that ended without `mininetes down` (their store and logs are kept until then)."""
    for testbed in sandbox.testbeds():
        if not testbed.alive:
            testbed.remove()
            click.echo(f"removed {testbed.directory}", err=True)
    return 0
