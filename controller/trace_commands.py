"""`mininetes trace`: the way of one packet through the switches of a running testbed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from cluster.commands import name_option, output_option, print_json
from cluster.problems import NoTestbedError


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@name_option
@click.option("--port", type=click.IntRange(1, 65535), help="Port of DST; without it a Service's first, else 80.")
@click.option("--protocol", type=click.Choice(["tcp", "udp", "sctp"]), default="tcp", show_default=True)
@output_option("text", "json")
def trace(source: str, destination: str, name: str | None, port: int | None, protocol: str, form: str) -> int:
    """The way of a new connection's first packet, table by table, through the switch of each node that it crosses.

    SRC is [NS/]POD or node/NAME; DST may also be service/[NS/]NAME or an address. Of equal endpoints, one is followed.
    Exit status 1 if what is observed differs from what the API says.
    """
    inside = (sys.executable, "-m", "controller.traced", source, destination, str(port or ""), protocol)
    chosen = ["--name", name] if name else []
    command = [sys.executable, "-m", "cluster.commands", "exec", *chosen, "sandbox", "--", *inside]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NoTestbedError(done.stderr.strip())
    found = json.loads(done.stdout)
    if form == "json":
        print_json(found)
    else:
        click.echo("\n".join(_lines(found)))
    return 0 if found["agree"] else 1


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    address = f"[{found['address']}]" if ":" in found["address"] else found["address"]
    yield f"{found['from']} -> {found['to']} ({found['protocol']} {address}:{found['port']})"
    for hop in found["hops"]:
        yield f"{hop['node']}:"
        for step in hop["steps"]:
            yield f"  {step['table']:<15} {_of(step)}"
        yield f"  => {hop['end']}"
    yield from (f"policies  {each['said']}" for each in found["policies"])
    observed, expected = found["observed"], found["expected"]
    where = f"{observed['verdict']}: {observed['at']}, {observed['address']} port {observed['port']}"
    yield f"observed  {where}"
    among = ", ".join(f"{each['address']} port {each['port']}" for each in expected.get("endpoints", ()))
    denied = f" for {expected['denied']}" if expected["denied"] else ""
    yield f"expected  {expected['verdict']}{denied}{f': one of {among}' if among else ''}{'' if found['agree'] else '  DIFFERS'}"


def _of(step: Mapping[str, Any]) -> str:
    """Who is behind the flow and what it means; what it does, where that says more."""
    said = " ".join(part for part in (step["owner"], step["note"]) if part)
    if said.startswith("Cluster ") or not said:
        return f"{said or '-':<40} {', '.join(step['actions'])}"[:110].rstrip()
    return said
