"""Service + pods -> EndpointSlices (discovery.k8s.io/v1), as the endpointslice controller makes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from cluster.names import generated
from cluster.nodes import ZONE_LABEL
from cluster.objects import Object, labels, name, namespace, ready
from cluster.ownership import is_finished, reference
from cluster.selectors import matches_labels
from cluster.service_ips import FAMILY_NAMES, HEADLESS

MAX_ENDPOINTS_PER_SLICE = 100
"""Kubernetes' default (--max-endpoints-per-slice)."""

SERVICE_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGED_BY = "endpointslice-controller.k8s.io"
HEADLESS_LABEL = "service.kubernetes.io/headless"

_Ports = tuple[tuple[str, str, int, str], ...]
"""name, protocol, number and appProtocol of each port of a slice."""


def endpoint_slices(
    services: Iterable[Object], pods: Iterable[Object], nodes: Iterable[Object]
) -> Sequence[Object]:
    """All slices of all Services with a selector; at least one per Service and family, empty without pods.

    Pods that are not ready are in them too, with `conditions.ready: false`. Within a slice the pods keep the order
    in which they are given.
    """
    zones = {name(node): labels(node)[ZONE_LABEL] for node in nodes if ZONE_LABEL in labels(node)}
    index = PodIndex(pods)
    taken: dict[str, set[str]] = defaultdict(set)
    slices: list[Object] = []
    for service in services:
        spec = service["spec"]
        if spec.get("type") != "ExternalName" and spec.get("selector"):
            pods_behind = index.select(namespace(service), spec["selector"])
            slices += _slices(service, pods_behind, zones, taken[namespace(service)])
    return slices


def is_managed(endpoint_slice: Mapping[str, Any]) -> bool:
    """Made here, and not by the user or another controller."""
    return labels(endpoint_slice).get(MANAGED_BY_LABEL) == MANAGED_BY


class PodIndex:
    """Pods by namespace and label, so that a selector looks at the candidates of its rarest label only."""

    def __init__(self, pods: Iterable[Object]) -> None:
        self._by_label: dict[tuple[str, str, str], list[Object]] = defaultdict(list)
        for pod in pods:
            for key, value in labels(pod).items():
                self._by_label[namespace(pod), key, value].append(pod)

    def select(self, in_namespace: str, selector: Mapping[str, str]) -> Sequence[Object]:
        """The pods with all these labels; `selector` must not be empty."""
        lists = [self._by_label.get((in_namespace, key, value), []) for key, value in selector.items()]
        return [pod for pod in min(lists, key=len) if matches_labels(selector, labels(pod))]


def target_port(service_port: Mapping[str, Any], pod: Mapping[str, Any]) -> int | None:
    """The pod's port number behind a Service port; None when it is a name that no container of the pod has."""
    wanted = service_port.get("targetPort", service_port["port"])
    if isinstance(wanted, int):
        return wanted
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or ():
            same_protocol = port.get("protocol", "TCP") == service_port.get("protocol", "TCP")
            if port.get("name") == wanted and same_protocol:
                return int(port["containerPort"])
    return None


def _slices(
    service: Object, pods: Sequence[Object], zones: Mapping[str, str], taken: set[str]
) -> Sequence[Object]:
    groups: dict[_Ports, list[Object]] = defaultdict(list)
    for pod in pods:
        if pod.get("status", {}).get("podIPs") and not is_finished(pod):
            groups[_ports(service, pod)].append(pod)
    slices = []
    for family in service["spec"]["ipFamilies"]:
        parts = list(_parts(service, groups, family, zones)) or [((), [])]
        for number, (ports, endpoints) in enumerate(parts):
            slice_name = generated(f"{name(service)}-", f"{family}/{number}", taken)
            taken.add(slice_name)
            slices.append(_slice(service, slice_name, family, ports, endpoints))
    return slices


def _parts(
    service: Object, groups: Mapping[_Ports, Sequence[Object]], family: str, zones: Mapping[str, str]
) -> Iterable[tuple[_Ports, Sequence[Object]]]:
    """Pods whose ports resolve to the same numbers share slices, up to the limit."""
    for ports, pods in groups.items():
        endpoints = [_endpoint(service, pod, ip, zones) for pod in pods for ip in _ips(pod, family)]
        for start in range(0, len(endpoints), MAX_ENDPOINTS_PER_SLICE):
            yield ports, endpoints[start : start + MAX_ENDPOINTS_PER_SLICE]


def _ips(pod: Mapping[str, Any], family: str) -> Sequence[str]:
    ips = (str(entry["ip"]) for entry in pod["status"]["podIPs"])
    return [ip for ip in ips if FAMILY_NAMES[ip_address(ip).version] == family]


def _ports(service: Mapping[str, Any], pod: Mapping[str, Any]) -> _Ports:
    resolved = ((port, target_port(port, pod)) for port in service["spec"].get("ports") or ())
    return tuple(
        (port.get("name", ""), port.get("protocol", "TCP"), number, port.get("appProtocol", ""))
        for port, number in resolved
        if number is not None
    )


def _endpoint(service: Object, pod: Object, ip: str, zones: Mapping[str, str]) -> Object:
    terminating = "deletionTimestamp" in pod["metadata"]
    serving = ready(pod)
    # "publishNotReadyAddresses … any agent which deals with endpoints … should disregard any indications of ready"
    is_ready = bool(service["spec"].get("publishNotReadyAddresses")) or (serving and not terminating)
    endpoint: Object = {
        "addresses": [ip],
        "conditions": {"ready": is_ready, "serving": serving, "terminating": terminating},
        "nodeName": pod["spec"]["nodeName"],
        "targetRef": {
            "kind": "Pod",
            "namespace": namespace(pod),
            "name": name(pod),
            "uid": pod["metadata"]["uid"],
        },
    }
    if zone := zones.get(endpoint["nodeName"]):
        endpoint["zone"] = zone
    if pod["spec"].get("hostname") and pod["spec"].get("subdomain") == name(service):
        endpoint["hostname"] = pod["spec"]["hostname"]
    return endpoint


def _slice(service: Object, slice_name: str, family: str, ports: _Ports, endpoints: Sequence[Object]) -> Object:
    slice_labels = {**labels(service), SERVICE_LABEL: name(service), MANAGED_BY_LABEL: MANAGED_BY}
    if service["spec"].get("clusterIP") == HEADLESS:
        slice_labels[HEADLESS_LABEL] = ""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": slice_name,
            "namespace": namespace(service),
            "labels": slice_labels,
            "ownerReferences": [reference(service)],
        },
        "addressType": family,
        "endpoints": list(endpoints),
        "ports": [_slice_port(*port) for port in ports],
    }


def _slice_port(port_name: str, protocol: str, number: int, app_protocol: str) -> Object:
    port: Object = {"name": port_name, "protocol": protocol, "port": number}
    if app_protocol:
        port["appProtocol"] = app_protocol
    return port
