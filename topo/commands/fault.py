"""mininetes fault: break something of a running testbed, and mend it. A command returns when it is done."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

import click

from cluster import objects, service_processes
from cluster.client import Client
from cluster.commands import name_option
from cluster.machine import has_netem
from cluster.model import LinkShape
from cluster.objects import POWER_ANNOTATION
from cluster.problems import MachineError, NoTestbedError, Problem, SpecError
from cluster.reading import quantities
from topo import faults, sandbox
from topo.commands.enter import cluster_of, find_pod
from topo.sandbox import Testbed

_PATIENCE_S = 30.0
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "continue": signal.SIGCONT}
_NAMES = {"vswitchd": "ovs-vswitchd", "dns": "responder"}
"""What processes are called here -> in `service_processes`. The responder has the DNS servers, and agnhost's."""


@click.group()
def fault() -> None:
    """Break something of a running testbed, and mend it."""


@fault.command()
@name_option
@click.argument("node")
@click.argument("power", type=click.Choice(["off", "on"]))
def node(name: str | None, node: str, power: str) -> int:
    """Switch a node off: what runs on it dies at once, its cable is cut, it gives no sign of life. Or on again."""
    testbed = sandbox.find(name)
    names = sorted(each.name for each in cluster_of(testbed).nodes)
    if node not in names:
        raise NoTestbedError(f"there is no node {node!r} (have: {', '.join(names)})")
    _annotate(testbed, node, {POWER_ANNOTATION: "off" if power == "off" else None})
    return 0


@fault.command()
@name_option
@click.argument("a")
@click.argument("b")
@click.argument("state", type=click.Choice(["down", "up"]))
def link(name: str | None, a: str, b: str, state: str) -> int:
    """Pull the cable between A and B (nodes, clients, switches of the underlay) out, or plug it in again."""
    testbed = sandbox.find(name)
    _require_link(testbed, a, b)
    key, text = faults.cut(a, b)
    _annotate(testbed, None, {key: text if state == "down" else None})
    return 0


@fault.command()
@name_option
@click.argument("a")
@click.argument("b")
@click.option("--bandwidth", metavar="RATE", help="10Mbit, 1Gbit; a number is Mbit/s.")
@click.option("--delay", metavar="TIME", help="5ms, 200us; a number is milliseconds. Each way.")
@click.option("--jitter", metavar="TIME", help="By how much the delay varies.")
@click.option("--loss", metavar="PERCENT", help="1%.")
def shape(name: str | None, a: str, b: str, **given: str | None) -> int:
    """Give the link between A and B another bandwidth, delay, jitter or loss; without any, those of the spec again.

    Exit status 3: the kernel has no netem, which everything but the bandwidth needs.
    """
    testbed = sandbox.find(name)
    _require_link(testbed, a, b)
    wanted = _shape({key: value for key, value in given.items() if value is not None})
    if wanted.needs_netem and not has_netem():
        raise MachineError(
            "delay, jitter and loss need the kernel module sch_netem, and this kernel has none; "
            "leave them out, or use a kernel that has it: sudo modprobe sch_netem"
        )
    key, text = faults.shaped(a, b, wanted)
    _annotate(testbed, None, {key: text if wanted != LinkShape() else None})
    return 0


@fault.command()
@name_option
@click.argument("sides", nargs=-1, required=True, metavar="A,… B,…")
@click.option("--mend", is_flag=True, help="Let packets through again.")
def partition(name: str | None, sides: tuple[str, ...], mend: bool) -> int:
    """Let no packet through from one of these sets of nodes and clients to another."""
    testbed = sandbox.find(name)
    cluster = cluster_of(testbed)
    sets = [[each.removeprefix("client/") for each in side.split(",")] for side in sides]
    if len(sets) < 2:
        raise click.UsageError("name at least two sets: mininetes fault partition worker worker2,worker3")
    known = [*(each.name for each in cluster.nodes), *(each.name for each in cluster.clients)]
    for machine in (machine for side in sets for machine in side):
        if machine not in known:
            raise NoTestbedError(f"there is no node or client {machine!r} (have: {', '.join(known)})")
    key, text = faults.partitioned(sets)
    _annotate(testbed, None, {key: None if mend else text})
    return 0


@fault.command()
@name_option
@click.argument("pod")
def pod(name: str | None, pod: str) -> int:
    """Kill a pod, [NS/]POD: it is deleted without grace, as by `kubectl delete --grace-period=0 --force`."""
    testbed = sandbox.find(name)
    found = find_pod(testbed, pod)
    client = Client(testbed.api_socket)
    identity = {"namespace": objects.namespace(found), "name": objects.name(found), "uid": found["metadata"]["uid"]}
    client.delete("Pod", identity["namespace"], identity["name"])
    client.post_removed([identity])
    return 0


@fault.command()
@name_option
@click.argument("process", type=click.Choice(["controller", "vswitchd", "api", "agent", "dns", "ingress"]))
@click.argument("action", type=click.Choice(list(_SIGNALS)), default="kill")
def process(name: str | None, process: str, action: str) -> int:
    """Kill a process of the testbed, whose keeper starts it again; or stop it (it hangs), and let it continue."""
    testbed = sandbox.find(name)
    wanted = _NAMES.get(process, process)
    found = [pid for pid, each in service_processes.children(testbed.pid).items() if each.name == wanted]
    if not found:
        raise NoTestbedError(f"testbed {testbed.name!r} has no process {process!r} now")
    for pid in found:
        os.kill(pid, _SIGNALS[action])
    return 0


@fault.command()
@name_option
def mend(name: str | None) -> int:
    """Mend all of it: nodes are on, links up and as in the spec, partitions gone, stopped processes go on."""
    testbed = sandbox.find(name)
    _, nodes = Client(testbed.api_socket).objects(["Node"])
    for each in nodes:
        broken = [*faults.told(each), *([POWER_ANNOTATION] if objects.annotation(each, POWER_ANNOTATION) else [])]
        if broken:
            _annotate(testbed, objects.name(each), dict.fromkeys(broken))
    for pid in service_processes.children(testbed.pid):
        os.kill(pid, signal.SIGCONT)
    return 0


def _annotate(testbed: Testbed, node: str | None, annotations: Mapping[str, str | None]) -> None:
    """Say it in annotations of a node (None: of the one that tells of faults), and wait until the agent has done it."""
    client = Client(testbed.api_socket)
    _, nodes = client.objects(["Node"])
    name = node or faults.holder(nodes)
    holder = next(each for each in nodes if objects.name(each) == name)
    if any(objects.annotation(holder, key) != text for key, text in annotations.items()):
        client.wait_realised("agent", client.annotate("Node", "", name, annotations), _PATIENCE_S)


def _require_link(testbed: Testbed, a: str, b: str) -> None:
    links = [(each.a, each.b) for each in cluster_of(testbed).underlay.links]
    if frozenset((a, b)) not in {frozenset(ends) for ends in links}:
        have = ", ".join(f"{one} - {other}" for one, other in links[:12])
        raise NoTestbedError(f"there is no link {a} - {b} (have: {have})")


def _shape(given: Mapping[str, str]) -> LinkShape:
    problems = []
    for option, text in given.items():
        try:
            quantities.PARSERS[option](text)
        except ValueError as error:
            problems.append(Problem(f"--{option}", 0, "", "", f"found {text!r}; {error}"))
    if problems:
        raise SpecError(problems)
    return quantities.shape(dict(given))
