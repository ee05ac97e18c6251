"""Pods -> addresses: a number per pod on its node, the same in every IP family; the address is range base + number.

What is handed out stands in the pods' own status, so nothing else has to survive a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from itertools import chain
from typing import Any, Literal

from cluster.model import MAX_PODS_PER_NODE, Cluster, IPAddress, Node
from cluster.objects import ATTACHMENT_ANNOTATION, Object
from cluster.ownership import is_finished

FIRST_NUMBER = 2
"""0 is the range itself, 1 the node's own leg in the pod network."""
LAST_NUMBER = FIRST_NUMBER + MAX_PODS_PER_NODE - 1

MAX_VETH_PODS = 64
"""Up to so many pods in the cluster, `attachment: auto` gives each a switch port of its own. One thread of the
userspace datapath polls every port: 100 idle ports already take a third of the throughput, 1,000 nearly all."""

NO_ADDRESS = "the pod range of node {node} is used up"


class Allocator:
    """Hands out addresses node by node, always the next one after the last, so that a new pod gets a new address.

    Only the place of the last one is remembered; after a restart it is that of the youngest pod on the node.
    """

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def allocate(self, pods: Sequence[Object], cluster: Cluster) -> Sequence[Object]:
        """The pods among `pods` (all of the cluster, oldest first) that are bound and lack an address, with one.

        A pod that gets none, since its node's range is used up, says so in its PodScheduled condition. A pod on a
        node that is not in the cluster is left alone.
        """
        waiting = [pod for pod in pods if _waits_for_address(pod) and pod["spec"]["nodeName"] in cluster.node_by_name]
        if not waiting:
            return []
        used = _used_numbers(pods, cluster)
        how = attachment(cluster, len(pods))
        return [self._addressed(pod, cluster.node_by_name[pod["spec"]["nodeName"]], used, how) for pod in waiting]

    def _addressed(self, pod: Object, node: Node, used: Mapping[str, dict[int, None]], how: str) -> Object:
        if pod["spec"].get("hostNetwork"):
            return with_addresses(pod, node, node.addresses)
        number = self._next(node, used[node.name])
        if number is None:
            return with_condition(pod, "False", "OutOfAddresses", NO_ADDRESS.format(node=node.name))
        annotated = {**(pod["metadata"].get("annotations") or {}), ATTACHMENT_ANNOTATION: how}
        metadata = {**pod["metadata"], "annotations": annotated}
        return with_addresses({**pod, "metadata": metadata}, node, addresses(node, number))

    def _next(self, node: Node, used: dict[int, None]) -> int | None:
        last = self._last.get(node.name) or next(reversed(used), FIRST_NUMBER - 1)
        # A range smaller than a /24 ends before the broadcast address.
        end: int = min([LAST_NUMBER, *(cidr.num_addresses - 2 for cidr in node.pod_cidrs)])
        for number in chain(range(last + 1, end + 1), range(FIRST_NUMBER, min(last, end) + 1)):
            if number not in used:
                used[number] = None
                self._last[node.name] = number
                return number
        return None


def addresses(node: Node, number: int) -> tuple[IPAddress, ...]:
    """The addresses of the pod with this number, one per IP family."""
    return tuple(cidr.network_address + number for cidr in node.pod_cidrs)


def attachment(cluster: Cluster, pods: int) -> Literal["veth", "macvlan"]:
    """How a pod hangs on its switch that is bound while the cluster has so many pods."""
    how = cluster.network.attachment
    if how == "auto":
        return "veth" if pods <= MAX_VETH_PODS else "macvlan"
    return how


def with_addresses(pod: Object, node: Node, pod_addresses: Iterable[IPAddress]) -> Object:
    """The pod as bound: its addresses, its node's, and the condition that says so."""
    ips, host_ips = [str(a) for a in pod_addresses], [str(a) for a in node.addresses]
    status = {
        **pod.get("status", {}),
        "hostIP": host_ips[0],
        "hostIPs": [{"ip": ip} for ip in host_ips],
        "podIP": ips[0],
        "podIPs": [{"ip": ip} for ip in ips],
    }
    return with_condition({**pod, "status": status}, "True")


def with_condition(pod: Object, status: Literal["True", "False"], reason: str = "", message: str = "") -> Object:
    """The pod with this PodScheduled condition, Pending if it has no phase yet."""
    condition = {"type": "PodScheduled", "status": status}
    if message:
        condition |= {"reason": reason, "message": message}
    before = pod.get("status", {})
    others = [entry for entry in before.get("conditions", ()) if entry["type"] != "PodScheduled"]
    return {**pod, "status": {"phase": "Pending", **before, "conditions": [*others, condition]}}


def _waits_for_address(pod: Mapping[str, Any]) -> bool:
    return bool(pod["spec"].get("nodeName")) and not pod.get("status", {}).get("podIPs") and not is_finished(pod)


def _used_numbers(pods: Iterable[Object], cluster: Cluster) -> Mapping[str, dict[int, None]]:
    """Per node, the numbers of its pods in the order of the pods' creation."""
    used: dict[str, dict[int, None]] = {node.name: {} for node in cluster.nodes}
    bases = {node.name: int(node.pod_cidrs[0].network_address) for node in cluster.nodes}
    for pod in pods:
        ips, node = pod.get("status", {}).get("podIPs"), pod["spec"].get("nodeName")
        if ips and node in used and not pod["spec"].get("hostNetwork") and not is_finished(pod):
            used[node][int(ip_address(ips[0]["ip"])) - bases[node]] = None
    return used
