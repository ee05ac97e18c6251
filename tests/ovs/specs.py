"""Clusters and objects for the tests, as the API would carry them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cluster.model import Cluster
from cluster.objects import ATTACHMENT_ANNOTATION
from cluster.reading.config import resolve

Object = dict[str, Any]


def cluster_object(
    nodes: int = 2, ip_family: str = "ipv4", mode: str = "overlay", ip_masq_exempt: Sequence[str] = ()
) -> Object:
    return {
        "kind": "Cluster",
        "apiVersion": "mininetes.dev/v1alpha1",
        "metadata": {"name": "test"},
        "nodes": [{"role": "control-plane" if index == 0 else "worker"} for index in range(nodes)],
        "networking": {"ipFamily": ip_family},
        "network": {"mode": mode, "ipMasqExempt": list(ip_masq_exempt)},
    }


def model(**options: Any) -> Cluster:
    document = cluster_object(**options)
    del document["metadata"]
    return resolve(document)


def pod_object(cluster: Cluster, name: str, node_index: int, number: int, veth: bool = False) -> Object:
    """A bound Pod with its addresses; `node_index` counts from 1, `number` is its place in the node's range."""
    node = cluster.nodes[node_index - 1]
    return {
        "kind": "Pod",
        "metadata": {
            "namespace": "default",
            "name": name,
            "uid": name,
            "annotations": {ATTACHMENT_ANNOTATION: "veth" if veth else "macvlan"},
        },
        "spec": {"nodeName": node.name},
        "status": {"podIPs": [{"ip": str(cidr.network_address + number)} for cidr in node.pod_cidrs]},
    }


def service_object(name: str, cluster_ips: Sequence[str], port: int = 80, protocol: str = "TCP") -> Object:
    return {
        "kind": "Service",
        "metadata": {"namespace": "default", "name": name},
        "spec": {"clusterIPs": list(cluster_ips), "ports": [{"port": port, "protocol": protocol}]},
    }


def slice_object(service: str, addresses: Iterable[str], port: int = 8080, protocol: str = "TCP") -> Object:
    addresses = list(addresses)
    return {
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": "default",
            "name": f"{service}-1",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv6" if ":" in addresses[0] else "IPv4",
        "ports": [{"port": port, "protocol": protocol}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
    }
