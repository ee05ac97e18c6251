"""`mininetes flows` and `mininetes plan`: what the switches hold, and how much they would."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import click

from cluster.commands import files_option, name_option, output_option, print_json, print_table
from cluster.model import Cluster
from cluster.objects import Object
from cluster.plan import Plan
from cluster.plan import plan as planned
from cluster.problems import NoTestbedError
from cluster.reading.spec import load
from controller.annotate import annotated, page, selected
from controller.compiler import compile
from controller.desired import initial_state
from controller.pipeline import TABLE_ID
from controller.state import state_of


def flow_counts(cluster: Cluster, objects: Iterable[Object]) -> Mapping[str, int]:
    """How many flows each node's switch will hold, by node. Pods must be bound and have their addresses."""
    return {node: len(table.flows) for node, table in compile(state_of(cluster, *objects)).items()}


@click.command()
@files_option
@output_option("table", "json")
def plan(files: tuple[str, ...], form: str) -> int:
    """What a testbed of these manifests would hold: nodes, pods and addresses, Services, flows per node.

    Starts nothing and needs no root.
    """
    spec = load(files, sys.stdin.buffer)
    result = planned(spec.cluster, spec.objects)
    counts = flow_counts(spec.cluster, result.objects)
    result = replace(result, nodes=[replace(node, flows=counts[node.name]) for node in result.nodes])
    if form == "json":
        print_json(result.to_json())
    else:
        _print_plan(result)
    return 0


def _print_plan(plan: Plan) -> None:
    print_table(("NODE", "ROLE", "IPS", "FLOWS"), [(n.name, n.role, ",".join(n.ips), n.flows) for n in plan.nodes])
    click.echo()
    pods = [(pod.namespace, pod.name, pod.node or "-", ",".join(pod.ips) or pod.reason) for pod in plan.pods]
    print_table(("NAMESPACE", "POD", "NODE", "IPS"), pods)
    click.echo()
    services = [(svc.namespace, svc.name, ",".join(svc.cluster_ips)) for svc in plan.services]
    print_table(("NAMESPACE", "SERVICE", "CLUSTER-IPS"), services)


@click.command()
@click.argument("node", required=False)
@name_option
@click.option("--table", type=click.Choice(list(TABLE_ID), case_sensitive=False), help="Only this table.")
@click.option("--owner", metavar="KIND/NS/NAME", help="Only flows of this object, such as pod/shop/web-1.")
def flows(node: str | None, name: str | None, table: str | None, owner: str | None) -> None:
    """The flows of every node's switch (or of NODE's), with table names and the object behind each flow."""
    found = _read(name)
    state = initial_state(found["objects"])
    if node is not None and node not in state.cluster.node_by_name:
        raise click.UsageError(f"no node is called {node} (have: {', '.join(state.cluster.node_by_name)})")
    tables = compile(state)
    for each in [node] if node else tables:
        click.echo(page(each, selected(annotated(found["dumps"][each], tables[each]), table, owner)))


def _read(name: str | None) -> Any:
    """What `controller.dump` prints inside the sandbox. Raises NoTestbedError when there is none to enter."""
    chosen = ["--name", name] if name else []
    inside = [sys.executable, "-m", "controller.dump"]
    command = [sys.executable, "-m", "cluster.commands", "exec", *chosen, "sandbox", "--", *inside]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NoTestbedError(done.stderr.strip())
    return json.loads(done.stdout)
