"""Which machines to measure between: the ones that were named, or a pair of pods per kind of path."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

from cluster.problems import NoTestbedError
from experiments.testbed import Inventory, Machine

SAME_NODE, CROSS_NODE = "same-node", "cross-node"


@dataclass(frozen=True, slots=True)
class Path:
    """From client to server."""

    client: Machine
    server: Machine

    @property
    def kind(self) -> str:
        return SAME_NODE if self.client.node == self.server.node else CROSS_NODE


def named(inventory: Inventory, source: str, destination: str) -> Path:
    """Raises NoTestbedError for a name that is none. A client outside the cluster may be the source."""
    server = inventory.find(destination)
    if source.startswith("client/"):
        return Path(Machine(source, source, ()), server)
    return Path(inventory.find(source), server)


def quick_look(inventory: Inventory, version: int | None) -> list[Path]:
    """The first pair of pods on one node, and the first on two. Raises NoTestbedError if there is neither.

    The cluster's own pods come last. Pods that use their node's own addresses are no pair: their packets cross
    no pod network.
    """
    node_addresses = {address for node in inventory.nodes for address in node.addresses}
    pods = [pod for pod in inventory.pods if not node_addresses & set(pod.addresses)]
    pods = [pod for pod in pods if version is None or any(a.version == version for a in pod.addresses)]
    pods.sort(key=lambda pod: pod.target.startswith("kube-system/"))
    found: dict[str, Path] = {}
    for client, server in permutations(pods, 2):
        path = Path(client, server)
        found.setdefault(path.kind, path)
    if not found:
        raise NoTestbedError("a measurement needs two running pods with addresses; name two targets: SRC DST")
    return [found[kind] for kind in (SAME_NODE, CROSS_NODE) if kind in found]
