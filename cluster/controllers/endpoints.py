"""Service + pods -> EndpointSlices (discovery.k8s.io/v1), as the endpointslice controller makes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from cluster.objects import Object, labels, name, namespace, ready
from cluster.ownership import is_finished, reference
from cluster.service_ips import FAMILY_NAMES
from cluster.well_known import HEADLESS, HEADLESS_LABEL, SERVICE_NAME_LABEL

MAX_ENDPOINTS_PER_SLICE = 100
"""Kubernetes' default (--max-endpoints-per-slice)."""

MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGED_BY = "endpointslice-controller.k8s.io"

_Ports = tuple[tuple[str, str, int, str], ...]
"""name, protocol, number and appProtocol of each port of a slice."""


def is_managed(endpoint_slice: Mapping[str, Any]) -> bool:
    """Made here, and not by the user or another controller."""
    return labels(endpoint_slice).get(MANAGED_BY_LABEL) == MANAGED_BY


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


def planned_slices(
    service: Object, pods: Iterable[Object], zones: Mapping[str, str], existing: Sequence[Object]
) -> Sequence[Object]:
    """The slices of a Service with a selector; at least one per family, empty without pods.

    `pods` are those that the selector chooses; those that are not ready are in the slices too, with
    `conditions.ready: false`. An endpoint stays in the slice where it is, so that a change of one rewrites one. New
    slices have no name yet.
    """
    groups: dict[_Ports, list[Object]] = defaultdict(list)
    for pod in pods:
        if pod.get("status", {}).get("podIPs") and not is_finished(pod):
            groups[_ports(service, pod)].append(pod)
    slices: list[Object] = []
    for family in service["spec"]["ipFamilies"]:
        of_family = [one for one in existing if one["addressType"] == family]
        filled: list[Object] = []
        for ports, members in groups.items():
            wanted = {ip: _endpoint(service, pod, ip, zones) for pod in members for ip in _ips(pod, family)}
            filled += _filled(service, family, ports, wanted, [one for one in of_family if _ports_of(one) == ports])
        slices += filled or [_slice(service, next(map(name, of_family), ""), family, (), [])]
    return slices


def _filled(
    service: Object, family: str, ports: _Ports, wanted: dict[str, Object], existing: Sequence[Object]
) -> Sequence[Object]:
    """Slices of pods whose ports resolve to the same numbers: those that are there, then new ones, up to the limit."""
    kept = [
        [wanted.pop(ip) for entry in one["endpoints"] for ip in entry["addresses"] if ip in wanted] for one in existing
    ]
    new = list(wanted.values())
    slices = []
    for one, endpoints in zip(existing, kept, strict=True):
        room = MAX_ENDPOINTS_PER_SLICE - len(endpoints)
        endpoints, new = [*endpoints, *new[:room]], new[room:]
        if endpoints:
            slices.append(_slice(service, name(one), family, ports, endpoints))
    for start in range(0, len(new), MAX_ENDPOINTS_PER_SLICE):
        slices.append(_slice(service, "", family, ports, new[start : start + MAX_ENDPOINTS_PER_SLICE]))
    return slices


def _ports_of(endpoint_slice: Mapping[str, Any]) -> _Ports:
    return tuple(
        (port.get("name", ""), port.get("protocol", "TCP"), port["port"], port.get("appProtocol", ""))
        for port in endpoint_slice.get("ports") or ()
    )


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
    if is_ready and (hints := _hints(service, endpoint)):
        endpoint["hints"] = hints
    if pod["spec"].get("hostname") and pod["spec"].get("subdomain") == name(service):
        endpoint["hostname"] = pod["spec"]["hostname"]
    return endpoint


def _hints(service: Object, endpoint: Object) -> Object:
    """For whose clients an endpoint is meant: those near it (trafficDistribution; KEP-4444, KEP-3015)."""
    distribution = service["spec"].get("trafficDistribution")
    hints: Object = {}
    if distribution and "zone" in endpoint:
        hints["forZones"] = [{"name": endpoint["zone"]}]
    if distribution == "PreferSameNode":
        hints["forNodes"] = [{"name": endpoint["nodeName"]}]
    return hints


def _slice(service: Object, slice_name: str, family: str, ports: _Ports, endpoints: Sequence[Object]) -> Object:
    slice_labels = {**labels(service), SERVICE_NAME_LABEL: name(service), MANAGED_BY_LABEL: MANAGED_BY}
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
