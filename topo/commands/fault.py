"""mininetes fault: break something of a running testbed, and mend it."""

from __future__ import annotations

import click

from cluster import objects
from cluster.client import Client
from cluster.commands import name_option
from cluster.objects import POWER_ANNOTATION
from cluster.problems import NoTestbedError
from topo import sandbox


@click.group()
def fault() -> None:
    """Break something of a running testbed, and mend it."""


@fault.command()
@name_option
@click.argument("node")
@click.argument("power", type=click.Choice(["off", "on"]))
def node(name: str | None, node: str, power: str) -> int:
    """Switch a node off: what runs on it dies at once, its cable is cut, it gives no sign of life. Or on again."""
    client = Client(sandbox.find(name).api_socket)
    _, nodes = client.objects(["Node"])
    names = sorted(objects.name(each) for each in nodes)
    if node not in names:
        raise NoTestbedError(f"there is no node {node!r} (have: {', '.join(names)})")
    client.annotate("Node", "", node, {POWER_ANNOTATION: "off" if power == "off" else None})
    return 0
