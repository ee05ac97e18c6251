"""mininetes status, sync."""

from __future__ import annotations

import click

from cluster import objects
from cluster.client import Client
from cluster.commands import name_option, output_option, print_json, print_table
from cluster.nodes import cluster_document
from cluster.objects import Object
from cluster.reading.config import resolve
from topo import sandbox
from topo.sandbox import Testbed


@click.command()
@name_option
@click.option("--timeout", "timeout_s", default=60.0, show_default=True, metavar="S", help="Seconds to wait.")
def sync(name: str | None, timeout_s: float) -> int:
    """Wait until every process and every switch holds what the API says. Exit status 1: not in time."""
    Client(sandbox.find(name).api_socket).sync(timeout_s)
    return 0


@click.command()
@name_option
@output_option("table", "json")
def status(name: str | None, form: str) -> int:
    """The nodes, and the pods with their addresses; as JSON also the external clients."""
    testbed = sandbox.find(name)
    if form == "table":
        print_status(testbed)
    else:
        _, found = Client(testbed.api_socket).objects(["Cluster", "Node", "Pod"])
        cluster = next(resolve(cluster_document(obj)) for obj in found if obj["kind"] == "Cluster")
        print_json({"nodes": [_node(obj) for obj in found if obj["kind"] == "Node"],
                    "clients": [{"name": client.name, "ips": [str(address) for address in client.addresses]}
                                for client in cluster.clients],
                    "pods": [_pod(obj) for obj in found if obj["kind"] == "Pod"]})  # fmt: skip
    return 0


def print_status(testbed: Testbed) -> None:
    """Two tables on standard output."""
    _, found = Client(testbed.api_socket).objects(["Node", "Pod"])
    nodes = [_node(obj) for obj in found if obj["kind"] == "Node"]
    pods = [_pod(obj) for obj in found if obj["kind"] == "Pod"]
    print_table(("NODE", "ROLE", "ADDRESSES", "POD RANGE"),
                [(n["name"], n["role"], ",".join(n["ips"]), ",".join(n["pod_cidrs"])) for n in nodes])  # fmt: skip
    if pods:
        click.echo()
        print_table(
            ("NAMESPACE", "POD", "STATUS", "READY", "ADDRESSES", "NODE"),
            [(p["namespace"], p["name"], p["phase"], "yes" if p["ready"] else "no", ",".join(p["ips"]), p["node"])
             for p in pods],
        )  # fmt: skip
    click.echo()


def _node(node: Object) -> Object:
    role = next((key.partition("/")[2] for key in objects.labels(node) if key.startswith("node-role.")), "worker")
    ips = [entry["address"] for entry in node["status"]["addresses"] if entry["type"] == "InternalIP"]
    return {"name": objects.name(node), "role": role, "ips": ips, "pod_cidrs": node["spec"]["podCIDRs"]}


def _pod(pod: Object) -> Object:
    state = pod.get("status", {})
    return {
        "namespace": objects.namespace(pod),
        "name": objects.name(pod),
        "node": pod["spec"].get("nodeName"),
        "ips": [entry["ip"] for entry in state.get("podIPs", ())],
        "phase": state.get("phase", "Pending"),
        "ready": objects.ready(pod),
    }
