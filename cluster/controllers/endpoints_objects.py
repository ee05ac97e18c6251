"""Service + pods -> the Endpoints object of the same name, the older form of its EndpointSlices (core/v1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from cluster.context import Context
from cluster.controllers.endpoints import target_port
from cluster.controllers.service_slices import selected_pods
from cluster.deletion import is_deleting
from cluster.draft import Key
from cluster.objects import Object, labels, name, namespace, ready
from cluster.ownership import is_finished
from cluster.service_ips import family_of
from cluster.well_known import HEADLESS, HEADLESS_LABEL

MAX_ADDRESSES = 1000
"""maxCapacity of the endpoints controller; beyond it, an annotation says that the object is truncated."""

MANAGED_BY_LABEL = "endpoints.kubernetes.io/managed-by"
MANAGED_BY = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"


def look(context: Context, key: Key) -> None:
    service = context.get(key)
    existing = context.get(("Endpoints", *key[1:]))
    if service is None:
        # After a restart: those that were left when their Service went.
        if existing is not None and MANAGED_BY_LABEL in labels(existing) and not is_deleting(existing):
            context.delete(existing)
        return
    if service["spec"].get("type") == "ExternalName" or not service["spec"].get("selector"):
        return
    if not is_deleting(service):
        context.draft.put(_endpoints(service, selected_pods(context, service), existing))


def look_without_service(context: Context, key: Key) -> None:
    """A Service went: its Endpoints go with it, whoever made them (endpoints_controller.go, syncService). They have no
    owner reference; those that somebody makes before their Service stay."""
    existing = context.live(key)
    if existing is not None and context.get(("Service", *key[1:])) is None:
        context.delete(existing)


def _endpoints(service: Object, pods: Sequence[Object], existing: Object | None) -> Object:
    by_ports: dict[tuple[tuple[str, int, str, str], ...], dict[str, list[Object]]] = defaultdict(
        lambda: {"addresses": [], "notReadyAddresses": []}
    )
    for pod in [pod for pod in pods if _has_address(service, pod)][:MAX_ADDRESSES]:
        address = _address(service, pod)
        group = by_ports[_ports(service, pod)]
        group["addresses" if _is_ready(service, pod) else "notReadyAddresses"].append(address)
    over = {OVER_CAPACITY: "truncated"} if len(pods) > MAX_ADDRESSES else {}
    own_labels = {**labels(service), MANAGED_BY_LABEL: MANAGED_BY}
    if service["spec"].get("clusterIP") == HEADLESS:
        own_labels[HEADLESS_LABEL] = ""
    metadata: Object = {**(existing["metadata"] if existing else {}), "name": name(service)}
    metadata |= {"namespace": namespace(service), "labels": own_labels}
    if over:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **over}
    endpoints: Object = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
    if subsets := [_subset(ports, group) for ports, group in by_ports.items()]:
        endpoints["subsets"] = subsets
    return endpoints


def _has_address(service: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    if is_finished(pod) or not pod.get("status", {}).get("podIPs") or _ip(service, pod) is None:
        return False
    # "A terminating pod is not among the endpoints", unless not ready ones are published too.
    return not is_deleting(pod) or bool(service["spec"].get("publishNotReadyAddresses"))


def _is_ready(service: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    return ready(pod) or bool(service["spec"].get("publishNotReadyAddresses"))


def _ip(service: Mapping[str, Any], pod: Mapping[str, Any]) -> str | None:
    """The pod's address of the Service's first family."""
    families = service["spec"].get("ipFamilies") or [None]
    ips = [str(entry["ip"]) for entry in pod["status"]["podIPs"]]
    return next((ip for ip in ips if families[0] in (None, family_of(ip))), None)


def _address(service: Object, pod: Object) -> Object:
    address: Object = {"ip": _ip(service, pod), "nodeName": pod["spec"]["nodeName"]}
    if pod["spec"].get("hostname") and pod["spec"].get("subdomain") == name(service):
        address["hostname"] = pod["spec"]["hostname"]
    uid = pod["metadata"]["uid"]
    return {**address, "targetRef": {"kind": "Pod", "namespace": namespace(pod), "name": name(pod), "uid": uid}}


def _ports(service: Mapping[str, Any], pod: Mapping[str, Any]) -> tuple[tuple[str, int, str, str], ...]:
    resolved = ((port, target_port(port, pod)) for port in service["spec"].get("ports") or ())
    return tuple(
        (port.get("name", ""), number, port.get("protocol", "TCP"), port.get("appProtocol", ""))
        for port, number in resolved
        if number is not None
    )


def _subset(ports: tuple[tuple[str, int, str, str], ...], group: Mapping[str, list[Object]]) -> Object:
    subset: Object = {field: addresses for field, addresses in group.items() if addresses}
    if ports:
        subset["ports"] = [_port(*port) for port in ports]
    return subset


def _port(port_name: str, number: int, protocol: str, app_protocol: str) -> Object:
    port: Object = {"name": port_name} if port_name else {}
    port |= {"port": number, "protocol": protocol}
    return port | ({"appProtocol": app_protocol} if app_protocol else {})
