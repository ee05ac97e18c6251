"""Specs of a given size. JSON is YAML, so they need no YAML writer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cluster.model import MAX_PODS_PER_NODE
from experiments.testbed import Inventory, Machine

SERVER_PORT = 8080
_SERVER = "registry.k8s.io/e2e-test-images/agnhost:2.47"


@dataclass(frozen=True, slots=True)
class Size:
    """A cluster of `nodes` workers with `pods_per_node` pods each, beside a control-plane node without pods."""

    nodes: int
    pods_per_node: int

    def __post_init__(self) -> None:
        if self.nodes < 1 or not 1 <= self.pods_per_node <= MAX_PODS_PER_NODE:
            raise ValueError(f"at least 1 node and 1 to {MAX_PODS_PER_NODE} pods on each; found {self}")

    @property
    def pods(self) -> int:
        return self.nodes * self.pods_per_node


def cluster(name: str, workers: int, mode: Literal["overlay", "direct"] = "overlay") -> dict[str, Any]:
    """The cluster document: one control-plane node and that many workers."""
    return {
        "apiVersion": "mininetes.dev/v1alpha1",
        "kind": "Cluster",
        "name": name,
        "network": {"mode": mode},
        "nodes": [{"role": "control-plane"}, {"role": "worker", "count": workers}],
    }


def deployment(name: str, replicas: int) -> dict[str, Any]:
    """Servers that answer HTTP on SERVER_PORT. The scheduler spreads the pods of one owner evenly."""
    labels = {"app": name}
    container = {
        "name": "server",
        "image": _SERVER,
        "args": ["netexec", f"--http-port={SERVER_PORT}"],
        "ports": [{"containerPort": SERVER_PORT}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def of_size(size: Size) -> list[dict[str, Any]]:
    """A cluster with one Deployment per pod of a node: each puts one pod on every worker."""
    names = [f"app{number:03d}" for number in range(size.pods_per_node)]
    return [cluster("bench", size.nodes), *(deployment(name, size.nodes) for name in names)]


def for_throughput(mode: Literal["overlay", "direct"]) -> list[dict[str, Any]]:
    """Two workers with two pods each."""
    return [cluster(f"throughput-{mode}", 2, mode), deployment("pod", 4)]


def servers(inventory: Inventory) -> list[Machine]:
    """The pods of these specs: not the cluster's own."""
    return [pod for pod in inventory.pods if not pod.target.startswith("kube-system/")]


def write(documents: list[dict[str, Any]], path: Path) -> Path:
    path.write_text("".join(f"---\n{json.dumps(document, indent=1)}\n" for document in documents))
    return path
