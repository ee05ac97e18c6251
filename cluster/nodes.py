"""What exists before the user's first object: the cluster document, its nodes, the namespaces every cluster has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.machine import Machine
from cluster.model import MAX_PODS_PER_NODE, Cluster, Node
from cluster.objects import Object
from cluster.well_known import CONTROL_PLANE

KUBELET_PORT = 10250
INITIAL_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


def initial_objects(cluster: Cluster, document: Mapping[str, Any], machine: Machine) -> Sequence[Object]:
    """The Cluster object, one Node per node, the initial Namespaces."""
    return [
        cluster_object(cluster, document),
        *(node_object(node, cluster, machine) for node in cluster.nodes),
        *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in INITIAL_NAMESPACES),
    ]


def cluster_object(cluster: Cluster, document: Mapping[str, Any]) -> Object:
    """The cluster document as the store keeps it: kind's form has no metadata, so it gets a name."""
    return {**document, "kind": "Cluster", "metadata": {**document.get("metadata", {}), "name": cluster.name}}


def cluster_document(obj: Mapping[str, Any]) -> Object:
    """The document back from its object, as `cluster.reading.config.resolve` reads it: without the metadata it never had."""
    return {field: value for field, value in obj.items() if field != "metadata"}


def node_object(node: Node, cluster: Cluster, machine: Machine) -> Object:
    """A Node as kubeadm and its kubelet register it. Its conditions follow from the agent's signs of life."""
    pods = {"pods": str(MAX_PODS_PER_NODE)}
    architecture = machine.info["architecture"]
    spec: Object = {"podCIDR": str(node.pod_cidrs[0]), "podCIDRs": [str(cidr) for cidr in node.pod_cidrs]}
    if taints := _taints(node, cluster):
        spec["taints"] = taints
    addresses = [{"type": "InternalIP", "address": str(address)} for address in node.addresses]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": node.name,
            "labels": {"kubernetes.io/arch": architecture, **_kubeadm_labels(node), **node.labels},
            "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
        },
        "spec": spec,
        "status": {
            "addresses": [*addresses, {"type": "Hostname", "address": node.name}],
            "capacity": {**machine.capacity, **pods},
            "allocatable": {**machine.allocatable, **pods},
            "daemonEndpoints": {"kubeletEndpoint": {"Port": KUBELET_PORT}},
            "nodeInfo": dict(machine.info),
        },
    }


def _kubeadm_labels(node: Node) -> Mapping[str, str]:
    return {} if node.role == "worker" else {"node.kubernetes.io/exclude-from-external-load-balancers": ""}


def _taints(node: Node, cluster: Cluster) -> Sequence[Object]:
    # As kind does it: with no worker to run them, pods go to the control-plane nodes.
    has_workers = any(other.role == "worker" for other in cluster.nodes)
    if node.role == "control-plane" and has_workers:
        return [{"key": CONTROL_PLANE, "effect": "NoSchedule"}]
    return []
