"""bench outside: what the ways in from outside cost beside a pod that is reached directly.

HTTP requests one after the other, each by a connection of its own, to one pod: from a pod of another node by the pod's
own address; from an external client by the node port of the pod's node, of another node, by a load balancer's address
(policy Local, so that it leads to the pod's node), and by an Ingress, where nginx connects once more for each request.
The arms take turns, since whatever else the machine does hits all of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from cluster.client import Client
from cluster.waiting import wait_until
from experiments import bulk, connections, generated, statistics, testbed
from experiments.goals import Goal, Report
from experiments.statistics import Samples
from experiments.testbed import Testbed

CLIENT = "client/client1"
_PORT, _NODE_PORT = 9555, 30555
_INGRESS_PORT = 80
_TURNS = 10
_LEAST, _LEAST_BY_INGRESS = 0.8, 0.2
"""Of direct's rate. Behind an Ingress there are two connections to a request, and a proxy."""
_PATIENCE_S = 60.0
_INGRESS = {
    "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "bench"},
    "spec": {
        "ingressClassName": "nginx",
        "defaultBackend": {"service": {"name": "cluster", "port": {"number": _PORT}}},
    },
}  # fmt: skip


def run(rounds: int, seconds: float, progress: Callable[[str], None]) -> Report:
    """Raises CommandError when the testbed does not come up or a way in does not answer."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mininetes-bench-")))
        documents = [{**generated.cluster("outside", 2), "externalClients": 1}, generated.deployment("pod", 4), _INGRESS]
        running = stack.enter_context(testbed.running(generated.write(documents, directory / "spec.yaml"), "bench-out"))
        measured = []
        arms = _arms(running, stack)
        for number in range(rounds):
            found: dict[str, list[float]] = {arm: [] for arm in arms}
            for turn in range(_TURNS):
                for arm in list(arms)[:: 1 if turn % 2 == 0 else -1]:
                    found[arm].append(arms[arm](seconds / _TURNS))
            measured.append({arm: fmean(values) for arm, values in found.items()})
            said = ", ".join(f"{arm} {value:.0f}/s" for arm, value in measured[-1].items())
            progress(f"round {number + 1} of {rounds}: {said}")
    return report(statistics.by_arm(measured))


def _arms(running: Testbed, stack: ExitStack) -> Mapping[str, Callable[[float], float]]:
    """Each measures requests per second for so many seconds."""
    inventory = running.inventory()
    pods = generated.servers(inventory)
    server = pods[0]
    asking = next(pod for pod in pods if pod.node != server.node)
    nodes = {node.node: str(node.addresses[0]) for node in inventory.nodes}
    own = str(server.addresses[0])
    stack.enter_context(connections.served(running.prefix(server.target), own, _PORT, http=True))
    api = bulk.client_of(running)
    made = [each for name in ("Cluster", "Local") for each in _service(name, own, server.node)]
    api.wait_realised("controller", bulk.apply(api, made), _PATIENCE_S)
    api.sync(_PATIENCE_S)
    outside, rate = running.prefix(CLIENT), connections.requests_per_second
    by_ingress = _address(api, "Ingress", "bench")
    wait_until(lambda: connections.answers(outside, by_ingress, _INGRESS_PORT), _PATIENCE_S, "the Ingress to answer")
    return {
        "direct": partial(rate, running.prefix(asking.target), own, _PORT),
        "node_port": partial(rate, outside, nodes[server.node], _NODE_PORT),
        "node_port_elsewhere": partial(rate, outside, nodes[asking.node], _NODE_PORT),
        "load_balancer": partial(rate, outside, _address(api, "Service", "local"), _PORT),
        "ingress": partial(rate, outside, by_ingress, _INGRESS_PORT),
    }


def _address(api: Client, kind: str, name: str) -> str:
    """That of its status, once it is there."""

    def given() -> list[str]:
        found = next(obj for obj in api.objects([kind])[1] if obj["metadata"]["name"] == name)
        return [entry["ip"] for entry in found.get("status", {}).get("loadBalancer", {}).get("ingress", ())]

    wait_until(lambda: bool(given()), _PATIENCE_S, f"{kind} {name} to have an address")
    return given()[0]


def _service(policy: str, address: str, node: str) -> list[dict[str, Any]]:
    """A NodePort Service of policy Cluster, a LoadBalancer of policy Local; the endpoint is made by hand."""
    name = policy.lower()
    port: dict[str, Any] = {"port": _PORT}
    spec: dict[str, Any] = {"externalTrafficPolicy": policy, "type": "LoadBalancer", "ports": [port]}
    if policy == "Cluster":
        spec["type"], port["nodePort"] = "NodePort", _NODE_PORT
    labels = {"kubernetes.io/service-name": name}
    endpoint = {"addresses": [address], "nodeName": node, "conditions": {"ready": True}}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec},
        {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": name, "labels": labels},
            "addressType": "IPv4", "ports": [{"port": _PORT}], "endpoints": [endpoint],
        },
    ]  # fmt: skip


def report(arms: Mapping[str, Samples]) -> Report:
    """The figures out of the samples."""
    over = {arm: arms[arm].over(arms["direct"]) for arm in arms if arm != "direct"}
    goals = tuple(
        Goal(
            f"requests per second by {arm.replace('_', ' ')} over direct", ratio.median, "at least",
            _LEAST_BY_INGRESS if arm == "ingress" else _LEAST, "x",
        )
        for arm, ratio in over.items()
    )  # fmt: skip
    return Report("outside", goals, {name: samples.as_json() for name, samples in arms.items()})
