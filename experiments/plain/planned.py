"""What a spec asks of a data plane: pods that have nodes and addresses, Services that have endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from cluster.model import Cluster, IPAddress
from cluster.objects import namespace
from cluster.plan import plan
from cluster.reading import spec as specs

_HEADLESS = "None"
_SERVICE_NAME = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Pod:
    namespace: str
    name: str
    node: str
    addresses: tuple[IPAddress, ...]

    @property
    def target(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def netns(self) -> str:
        return f"{self.namespace}.{self.name}"


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of one Service, at one of its cluster IPs. `name`: unique, and a word for nft(8)."""

    name: str
    address: IPAddress
    protocol: str
    port: int
    endpoints: tuple[tuple[IPAddress, int], ...]


@dataclass(frozen=True, slots=True)
class Planned:
    cluster: Cluster
    pods: tuple[Pod, ...]
    services: tuple[ServicePort, ...]


def load(path: str) -> Planned:
    """Raises SpecError."""
    spec = specs.load([path])
    found = plan(spec.cluster, spec.objects)
    pods = [Pod(pod.namespace, pod.name, pod.node, tuple(map(ip_address, pod.ips)))
            for pod in found.pods if pod.node and pod.ips]  # fmt: skip
    node_addresses = {address for node in spec.cluster.nodes for address in node.addresses}
    own_network = [pod for pod in pods if not node_addresses & set(pod.addresses)]
    return Planned(spec.cluster, tuple(own_network), tuple(service_ports(found.objects)))


def service_ports(objects: Iterable[Mapping[str, Any]]) -> Iterator[ServicePort]:
    """Of all Services that have cluster IPs."""
    everything = list(objects)
    slices = [obj for obj in everything if obj["kind"] == "EndpointSlice"]
    for service in (obj for obj in everything if obj["kind"] == "Service"):
        own = [one for one in slices if _is_of(one, service)]
        for ip in service["spec"].get("clusterIPs", ()):
            if ip != _HEADLESS:
                for port in service["spec"].get("ports", ()):
                    yield _service_port(service, ip_address(ip), port, own)


def _is_of(endpoint_slice: Mapping[str, Any], service: Mapping[str, Any]) -> bool:
    labels = endpoint_slice["metadata"].get("labels", {})
    return (
        namespace(endpoint_slice) == namespace(service) and labels.get(_SERVICE_NAME) == service["metadata"]["name"]
    )


def _service_port(
    service: Mapping[str, Any], address: IPAddress, port: Mapping[str, Any], slices: Iterable[Mapping[str, Any]]
) -> ServicePort:
    protocol = port.get("protocol", "TCP")
    endpoints = [
        (ip_address(endpoint["addresses"][0]), int(target["port"]))
        for one in slices if one["addressType"] == f"IPv{address.version}"
        for target in one.get("ports", ())
        if (target.get("name", ""), target.get("protocol", "TCP")) == (port.get("name", ""), protocol)
        for endpoint in one.get("endpoints", ()) if endpoint.get("conditions", {}).get("ready", True)
    ]  # fmt: skip
    name = f"{namespace(service)}/{service['metadata']['name']}/{protocol}/{port['port']}".lower()
    return ServicePort(name, address, protocol.lower(), int(port["port"]), tuple(endpoints))
