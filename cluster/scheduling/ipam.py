"""Pods -> addresses: a number per pod on its node, the same in every IP family; the address is range base + number.

Always the next number after the last, so that a new pod gets a new address. What is handed out stands in the pods'
own status, so nothing else has to survive a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, Literal

from cluster import capabilities, conditions
from cluster.conditions import Verdict
from cluster.index import Index
from cluster.model import MAX_PODS_PER_NODE, Cluster, IPAddress, Node
from cluster.objects import ATTACHMENT_ANNOTATION, Object

FIRST_NUMBER = 2
"""0 is the range itself, 1 the node's own leg in the pod network."""
LAST_NUMBER = FIRST_NUMBER + MAX_PODS_PER_NODE - 1

MAX_VETH_PODS = 64
"""Up to so many pods in the cluster, `attachment: auto` gives each a switch port of its own. One thread of the
userspace datapath polls every port: 100 idle ports already take a third of the throughput, 1,000 nearly all."""

NO_ADDRESS = "the pod range of node {node} is used up"


def addressed(pod: Object, node: Node, cluster: Cluster, index: Index, now: str) -> Object:
    """A pod that was bound to this node, with its addresses; or with the condition that says why it has none."""
    if pod["spec"].get("hostNetwork"):
        return with_addresses(pod, node, node.addresses, now)
    number = next_number(node, index)
    if number is None:
        return with_condition(pod, now, "False", "OutOfAddresses", NO_ADDRESS.format(node=node.name))
    index.numbers.last[node.name] = number
    how = attachment(pod, cluster, index.pod_count())
    annotated = {**(pod["metadata"].get("annotations") or {}), ATTACHMENT_ANNOTATION: how}
    metadata = {**pod["metadata"], "annotations": annotated}
    return with_addresses({**pod, "metadata": metadata}, node, addresses(node, number), now)


def next_number(node: Node, index: Index) -> int | None:
    """The next free number after the one that was handed out last; None when all are in use."""
    used, last = index.numbers.used[node.name], index.numbers.last.get(node.name, FIRST_NUMBER - 1)
    # A range smaller than a /24 ends before the broadcast address.
    end: int = min([LAST_NUMBER, *(cidr.num_addresses - 2 for cidr in node.pod_cidrs)])
    numbers = chain(range(last + 1, end + 1), range(FIRST_NUMBER, min(last, end) + 1))
    return next((number for number in numbers if number not in used), None)


def addresses(node: Node, number: int) -> tuple[IPAddress, ...]:
    """The addresses of the pod with this number, one per IP family."""
    return tuple(cidr.network_address + number for cidr in node.pod_cidrs)


def attachment(pod: Object, cluster: Cluster, pods: int) -> Literal["veth", "macvlan"]:
    """How a pod hangs on its switch that is bound while the cluster has so many pods. One that may change interfaces
    has a port of its own in any case: only the switch can hold it to its address then (decision 012)."""
    how = cluster.network.attachment
    if capabilities.changes_interfaces(pod):
        return "veth"
    if how == "auto":
        return "veth" if pods <= MAX_VETH_PODS else "macvlan"
    return how


def with_addresses(pod: Object, node: Node, pod_addresses: Iterable[IPAddress], now: str) -> Object:
    """The pod as bound: its addresses, its node's, and the condition that says so."""
    ips, host_ips = [str(a) for a in pod_addresses], [str(a) for a in node.addresses]
    status: Mapping[str, Any] = {
        **pod.get("status", {}),
        "hostIP": host_ips[0],
        "hostIPs": [{"ip": ip} for ip in host_ips],
        "podIP": ips[0],
        "podIPs": [{"ip": ip} for ip in ips],
    }
    return with_condition({**pod, "status": status}, now, "True")


def with_condition(pod: Object, now: str, verdict: Verdict, reason: str = "", message: str = "") -> Object:
    """The pod with this PodScheduled condition, Pending if it has no phase yet."""
    entry = conditions.condition("PodScheduled", verdict, reason, message, now)
    if not reason:
        entry = {field: value for field, value in entry.items() if value}
    before = pod.get("status", {})
    entries = conditions.merged(before.get("conditions", ()), entry)
    return {**pod, "status": {"phase": "Pending", **before, "conditions": list(entries)}}
