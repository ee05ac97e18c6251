"""mininetes exec: get into a running testbed, by entering its namespaces; no daemon in between."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import click

from cluster import objects
from cluster.client import Client
from cluster.commands import name_option
from cluster.model import Cluster
from cluster.objects import Object
from cluster.problems import NoTestbedError
from cluster.reading.config import resolve
from cluster.run_directory import SEED
from topo import sandbox
from topo.places import Room, room_of_container, room_of_machine
from topo.sandbox import Testbed
from topo.sources import KINDS, Sources

SANDBOX = "sandbox"
"""The target that is the sandbox itself: its switches' namespace, its daemons, nothing confined."""
_NOT_FOUND = 127


def cluster_of(testbed: Testbed) -> Cluster:
    return resolve(json.loads((testbed.directory / SEED).read_text())["cluster"])


@click.command("exec", context_settings={"ignore_unknown_options": True})
@name_option
@click.option("-c", "--container", metavar="C", help="Which container's environment; the first if left out.")
@click.argument("target")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(name: str | None, container: str | None, target: str, command: tuple[str, ...]) -> int:
    """Run a command in a pod, node or client: TARGET is [NS/]POD, node/NAME, client/NAME, or `sandbox`.

    The exit status is the command's.
    """
    testbed = sandbox.find(name)
    if target == SANDBOX:
        return sandbox.run_inside(testbed, lambda: _execute(command, dict(os.environ)))
    room = _locate(testbed, target, container)

    def run() -> int:
        room.enter()
        return _execute(command, room.environment)

    return sandbox.run_inside(testbed, run)


def _execute(command: tuple[str, ...], environment: Mapping[str, str]) -> int:
    try:
        os.execvpe(command[0], command, environment)
    except FileNotFoundError:
        click.echo(f"{command[0]}: command not found", err=True)
    return _NOT_FOUND


def _locate(testbed: Testbed, target: str, container: str | None) -> Room:
    """Where a target's processes run, with which environment and files. Raises NoTestbedError."""
    cluster = cluster_of(testbed)
    kind, _, machine = target.partition("/")
    machines = {"node": [node.name for node in cluster.nodes], "client": [each.name for each in cluster.clients]}
    if kind in machines and machine:
        names = machines[kind]
        if machine not in names:
            raise NoTestbedError(f"there is no {kind} {machine!r} (have: {', '.join(names) or 'none'})")
        return room_of_machine(machine)
    pod = find_pod(testbed, target)
    _, found = Client(testbed.api_socket).objects(KINDS)
    return room_of_container(pod, _container(pod, container), cluster, Sources(found, testbed.directory))


def find_pod(testbed: Testbed, target: str) -> Object:
    """The pod that "[NS/]POD" names. Raises NoTestbedError."""
    namespace, _, name = target.rpartition("/")
    _, pods = Client(testbed.api_socket).objects(["Pod"])
    for pod in pods:
        if objects.name(pod) == name and objects.namespace(pod) == (namespace or "default"):
            return pod
    others = [f"{objects.namespace(pod)}/{name}" for pod in pods if objects.name(pod) == name]
    hint = f"; there is {', '.join(others)}" if others else ""
    raise NoTestbedError(f"there is no pod {name!r} in namespace {namespace or 'default'!r}{hint}")


def _container(pod: Object, name: str | None) -> dict[str, Any]:
    containers: list[dict[str, Any]] = pod["spec"]["containers"]
    for container in containers:
        if name in (None, container["name"]):
            return container
    have = ", ".join(container["name"] for container in containers)
    raise NoTestbedError(f"pod {objects.name(pod)!r} has no container {name!r} (have: {have})")
