"""The pod numbers in use on every node, and which one was the last: what `ipam` hands out from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from cluster.model import Cluster


class Numbers:
    """A pod's number is its place in its node's ranges: address = base + number, in every IP family."""

    def __init__(self, cluster: Cluster) -> None:
        self._bases = {node.name: int(node.pod_cidrs[0].network_address) for node in cluster.nodes}
        self.used: defaultdict[str, dict[int, str]] = defaultdict(dict)
        """By node: number -> uid of its pod."""
        self.last: dict[str, int] = {}
        """By node: the number that a pod got last, in the order of the pods' creation after a restart."""

    def add(self, pod: Mapping[str, Any], is_new: bool) -> None:
        number = self._number(pod)
        if number is not None:
            node = pod["spec"]["nodeName"]
            self.used[node][number] = pod["metadata"]["uid"]
            if is_new:
                self.last[node] = number

    def remove(self, pod: Mapping[str, Any]) -> None:
        number, node = self._number(pod), pod["spec"]["nodeName"]
        if number is not None and self.used[node].get(number) == pod["metadata"]["uid"]:
            del self.used[node][number]

    def _number(self, pod: Mapping[str, Any]) -> int | None:
        """None for a pod that has no address of its own."""
        ips, node = pod.get("status", {}).get("podIPs"), pod["spec"].get("nodeName")
        if not ips or node not in self._bases or pod["spec"].get("hostNetwork"):
            return None
        return int(ip_address(ips[0]["ip"])) - self._bases[node]
