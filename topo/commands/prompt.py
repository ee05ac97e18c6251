"""mininetes cli: Mininet's prompt in a running testbed. A module of its own, since loading Mininet takes as long as
most other commands do in all."""

from __future__ import annotations

import os
import shutil
import sys

import click

from cluster import objects
from cluster.client import Client
from cluster.commands import name_option
from cluster.objects import Object
from cluster.problems import NoTestbedError
from topo import confine, emulation, pod_files, sandbox
from topo.commands.enter import cluster_of
from topo.places import place_of_pod


@click.command()
@name_option
def cli(name: str | None) -> int:
    """The mininet> prompt: nodes, clients and pods by name. Reads commands from standard input where it is a file."""
    testbed = sandbox.find(name)
    cluster = cluster_of(testbed)
    _, pods = Client(testbed.api_socket).objects(["Pod"])

    def run() -> int:
        os.environ["HOME"] = "/tmp"  # the prompt writes its history there
        network = emulation.UnderlayNetwork(cluster, configure=False)
        for pod in pods:
            addresses = pod.get("status", {}).get("podIPs", ())
            if addresses and not pod["spec"].get("hostNetwork"):
                confine.prepare_scratch(str(pod["metadata"]["uid"]), pod_files.etc(pod, cluster))
                network.add_pod(_prompt_name(pod), place_of_pod(pod), addresses[0]["ip"])
        emulation.prompt(network, sys.stdin)
        return 0

    if shutil.which("bash") is None:
        raise NoTestbedError("the prompt needs bash")
    sys.stdout.flush()
    return sandbox.run_inside(testbed, run)


def _prompt_name(pod: Object) -> str:
    namespace = objects.namespace(pod)
    return objects.name(pod) if namespace == "default" else f"{namespace}/{objects.name(pod)}"
