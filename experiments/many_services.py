"""Services by the thousand, without selectors: an EndpointSlice each, whose endpoints need not exist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cluster.client import Client
from experiments.testbed import Testbed

Object = dict[str, Any]
PORT, TARGET_PORT = 80, 8080
NAMESPACE = "many"
"""Not that of any pod: a thousand Services' environment variables (enableServiceLinks) let no program start."""
_FIRST_IP = IPv4Address("10.96.64.0")
_AT_A_TIME = 1000


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


def apply(client: Client, objects: Iterator[Object]) -> int:
    """In transactions of a thousand; the last one's revision."""
    batch: list[Object] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}]
    revision = 0
    for each in objects:
        batch.append(each)
        if len(batch) == _AT_A_TIME:
            revision, batch = client.apply(batch), []
    return client.apply(batch) if batch else revision


def client_of(testbed: Testbed) -> Client:
    """The testbed's API as its own parts use it: no TLS, no authentication in what is measured."""
    return Client(Path(testbed.output("kubeconfig").strip()).with_name("api.sock"))
