"""A testbed through the `mininetes` command: start it, ask it, end it whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import Any

from cluster.model import IPAddress
from cluster.problems import NoTestbedError

MININETES = (sys.executable, "-m", "cluster.commands")
SANDBOX = "sandbox"
"""The target that is the sandbox itself: what runs there sees its switches."""
_SHOWN = 12
_serial = count()


class CommandError(Exception):
    """A command that had to succeed did not. The message holds what it said."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A pod or node; `target` is its name for `mininetes exec`."""

    target: str
    node: str
    addresses: tuple[IPAddress, ...]

    def address(self, version: int | None) -> IPAddress:
        """The first address of that IP version, or just the first. Raises NoTestbedError if there is none."""
        for address in self.addresses:
            if version in (None, address.version):
                return address
        raise NoTestbedError(f"{self.target} has no IPv{version or 4} address")


@dataclass(frozen=True, slots=True)
class Inventory:
    """The machines of a testbed that have addresses."""

    nodes: tuple[Machine, ...]
    pods: tuple[Machine, ...]

    def find(self, target: str) -> Machine:
        """The machine of that target ("default" may be left out, as in `exec`). Raises NoTestbedError."""
        named = {machine.target: machine for machine in (*self.nodes, *self.pods)}
        for name in (target, f"default/{target}"):
            if name in named:
                return named[name]
        have = ", ".join([*named][:_SHOWN]) + (", …" if len(named) > _SHOWN else "")
        raise NoTestbedError(f"there is no pod or node {target!r} with an address (have: {have})")


@dataclass(frozen=True, slots=True)
class Testbed:
    """A running testbed; `name` None stands for the only one."""

    __test__ = False

    name: str | None

    def argv(self, subcommand: str, *arguments: str) -> tuple[str, ...]:
        """The command line of a subcommand about this testbed."""
        return (*MININETES, subcommand, *(["--name", self.name] if self.name else []), *arguments)

    def prefix(self, target: str) -> tuple[str, ...]:
        """What to put before a command so that it runs in a machine."""
        return (*self.argv("exec", target), "--")

    def output(self, subcommand: str, *arguments: str) -> str:
        """What a subcommand prints. Raises NoTestbedError, CommandError."""
        return output_of(self.argv(subcommand, *arguments))

    def exec(self, target: str, *command: str) -> str:
        return output_of((*self.prefix(target), *command))

    def process_id(self) -> int:
        """Its sandbox's PID 1, as the host numbers it. Raises NoTestbedError."""
        listed = json.loads(output_of((*MININETES, "list", "-o", "json")))
        pids = {entry["name"]: int(entry["pid"]) for entry in listed if self.name in (None, entry["name"])}
        if len(pids) != 1:
            raise NoTestbedError(f"one testbed was meant, named {self.name or 'nothing'}; running: {', '.join(pids)}")
        return next(iter(pids.values()))

    def inventory(self) -> Inventory:
        return parse_status(json.loads(self.output("status", "-o", "json")))


def parse_status(status: dict[str, Any]) -> Inventory:
    """What `mininetes status -o json` says; machines without an address are left out."""
    nodes = [Machine(f"node/{node['name']}", node["name"], _addresses(node)) for node in status["nodes"]]
    pods = [Machine(f"{pod['namespace']}/{pod['name']}", pod["node"], _addresses(pod))
            for pod in status["pods"] if pod["phase"] == "Running"]  # fmt: skip
    return Inventory(tuple(n for n in nodes if n.addresses), tuple(p for p in pods if p.addresses))


def _addresses(entry: dict[str, Any]) -> tuple[IPAddress, ...]:
    return tuple(ip_address(text) for text in entry["ips"])


def output_of(argv: tuple[str, ...]) -> str:
    """The standard output of a command. Raises NoTestbedError or CommandError with what it said, if it fails."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode == 0:
        return done.stdout
    said = (done.stderr or done.stdout).strip()
    if done.returncode == NoTestbedError.exit_status:
        raise NoTestbedError(said)
    raise CommandError(f"{' '.join(_short(argv))}: exit status {done.returncode}\n{said}")


def _short(argv: tuple[str, ...]) -> tuple[str, ...]:
    return ("mininetes", *argv[len(MININETES):]) if argv[:len(MININETES)] == MININETES else argv  # fmt: skip


def fresh_name(stem: str) -> str:
    """A name that no running testbed of this machine has: two of this process differ, and so do two processes."""
    return f"{stem}-{os.getpid()}-{next(_serial)}"


def exit_on_sigterm() -> None:
    """End by an exception, so that every testbed of this process is taken down on the way."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


def start(spec: Path, name: str) -> Testbed:
    """`mininetes up`, quietly. Raises CommandError."""
    testbed = Testbed(name)
    output_of((*testbed.argv("up", "-q"), "-f", str(spec)))
    return testbed


def end(name: str) -> None:
    """`mininetes down`; nothing if it is not running."""
    subprocess.run((*MININETES, "down", name), stdin=subprocess.DEVNULL, capture_output=True)


@contextmanager
def running(spec: Path, stem: str) -> Iterator[Testbed]:
    """A testbed for as long as the context lasts."""
    name = fresh_name(stem)
    try:
        yield start(spec, name)
    finally:
        end(name)
