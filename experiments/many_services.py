"""Services by the thousand, without selectors: an EndpointSlice each, whose endpoints need not exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address
from itertools import chain

from cluster.client import Client
from experiments import bulk
from experiments.bulk import Object

PORT, TARGET_PORT = 80, 8080
NAMESPACE = "many"
"""Not that of any pod: a thousand Services' environment variables (enableServiceLinks) let no program start."""
_FIRST_IP = IPv4Address("10.96.64.0")


def cluster_ip(number: int) -> str:
    return str(_FIRST_IP + number)


def service(number: int) -> Object:
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": f"many-{number}", "namespace": NAMESPACE},
        "spec": {"clusterIP": cluster_ip(number), "ports": [{"port": PORT, "targetPort": TARGET_PORT}]},
    }  # fmt: skip


def endpoints(number: int, addresses: Sequence[str], port: int = TARGET_PORT) -> Object:
    labels = {"kubernetes.io/service-name": f"many-{number}"}
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": f"many-{number}", "namespace": NAMESPACE, "labels": labels}, "addressType": "IPv4",
        "ports": [{"port": port}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
    }  # fmt: skip


def apply(client: Client, objects: Iterable[Object]) -> int:
    """With their namespace; the last one's revision."""
    return bulk.apply(client, chain([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}], objects))
