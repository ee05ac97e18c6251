"""A dry run: the nodes, pods and addresses, and Services that a spec would give. What `mininetes plan` prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.draft import Draft, key_of
from cluster.loop_queue import Loops
from cluster.loops import found
from cluster.model import Cluster
from cluster.objects import Object, name, namespace, ready
from cluster.settled import unsettled_reason
from cluster.times import seconds


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """`flows` is None until a compiled pipeline says how many the node's switch gets."""

    name: str
    role: str
    ips: Sequence[str]
    flows: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedPod:
    """`node` is None and `reason` says why when the pod fits nowhere."""

    namespace: str
    name: str
    node: str | None
    ips: Sequence[str]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PlannedService:
    """`cluster_ips` is empty for an ExternalName Service, ["None"] for a headless one."""

    namespace: str
    name: str
    cluster_ips: Sequence[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """`objects` is the whole planned state: given objects with their defaults, and those the loops made of them."""

    nodes: Sequence[PlannedNode]
    pods: Sequence[PlannedPod]
    services: Sequence[PlannedService]
    objects: Sequence[Object] = field(repr=False)

    def to_json(self) -> Object:
        return {
            "nodes": [_node_json(node) for node in self.nodes],
            "pods": [_pod_json(pod) for pod in self.pods],
            "services": [
                {"namespace": svc.namespace, "name": svc.name, "cluster_ips": list(svc.cluster_ips)}
                for svc in self.services
            ],
        }


def plan(cluster: Cluster, objects: Iterable[Object]) -> Plan:
    """What a new testbed of this cluster and these objects will hold: the very loops of the API server, run on a draft.

    Raises SpecError as these do.
    """
    draft = Draft({})
    found(draft, cluster, {}, objects)
    _run(draft, cluster)
    pods = (_pod(pod) for pod in draft.objects("Pod"))
    return Plan(
        nodes=[PlannedNode(node.name, node.role, [str(ip) for ip in node.addresses]) for node in cluster.nodes],
        pods=sorted(pods, key=lambda pod: (pod.namespace, pod.name)),
        services=[_service(service) for service in draft.objects("Service")],
        objects=[obj for change, obj in draft.changes() if change == "ADDED"],
    )


def _run(draft: Draft, cluster: Cluster) -> None:
    """The loops, with an agent whose pods are ready at once: a StatefulSet makes its second pod when the first is."""
    loops = Loops(cluster, draft, {})
    while True:
        loops.run(draft, seconds(draft.now))
        starting = [pod for pod in draft.objects("Pod") if pod.get("status", {}).get("podIPs") and not ready(pod)]
        if not starting:
            return
        for pod in starting:
            conditions = [*pod["status"]["conditions"], {"type": "Ready", "status": "True"}]
            status = {"phase": "Running", "conditions": conditions}
            draft.merge_status(key_of(pod), pod["metadata"]["uid"], status)
            loops.observe(draft, key_of(pod), pod, draft.get(key_of(pod)))


def _pod(pod: Mapping[str, Any]) -> PlannedPod:
    ips = [str(entry["ip"]) for entry in pod["status"].get("podIPs", ())]
    node = pod["spec"].get("nodeName")
    return PlannedPod(namespace(pod), name(pod), node, ips, "" if ips else unsettled_reason(pod))


def _service(service: Mapping[str, Any]) -> PlannedService:
    return PlannedService(namespace(service), name(service), service["spec"].get("clusterIPs", []))


def _node_json(node: PlannedNode) -> Object:
    flows = {} if node.flows is None else {"flows": node.flows}
    return {"name": node.name, "role": node.role, "ips": list(node.ips), **flows}


def _pod_json(pod: PlannedPod) -> Object:
    reason = {"reason": pod.reason} if pod.reason else {}
    return {"namespace": pod.namespace, "name": pod.name, "node": pod.node, "ips": list(pod.ips), **reason}
