"""Where a client's new connection to a Service may end, read off the API objects.

The specification, not the implementation: it knows nothing of flows and shares no code with the controller. Sentences
in quotes are those of the API reference (core/v1 ServiceSpec, discovery.k8s.io/v1) and of the KEPs named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Literal

Object = Mapping[str, Any]
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Outcome:
    """`endpoints` as (address, port) when the verdict is "reaches"."""

    verdict: Literal["reaches", "refused", "dropped"]
    endpoints: frozenset[tuple[Address, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class ClientPlace:
    """The node from which a client sends: its name and zone ("" without one). Of a client outside the cluster, with the
    address that it has, the node that its packets come to."""

    node: str
    zone: str = ""
    outside: Address | None = None


DROPPED = Outcome("dropped")
REFUSED = Outcome("refused")


def outcome(
    services: Iterable[Object], slices: Iterable[Object], client: ClientPlace, address: Address, protocol: str, port: int,
    node_addresses: Collection[Address] = (),
) -> Outcome:  # fmt: skip
    """What becomes of a new connection to an address of a Service, or of a node."""
    for service in services:
        for service_port in service["spec"].get("ports") or ():
            policy = _policy(service, service_port, client, address, port, node_addresses)
            if policy and service_port.get("protocol", "TCP") == protocol and not _is_another_proxys(service):
                own = [one for one in slices if _is_slice_of(one, service, address.version)]
                return _of_port(service, service_port, own, client, policy == "Local")
    return DROPPED


def _policy(
    service: Object, service_port: Object, client: ClientPlace, address: Address, port: int,
    node_addresses: Collection[Address],
) -> str | None:  # fmt: skip
    """The traffic policy for this client, if it means this port; None if not, or if it may not come this way.

    "externalTrafficPolicy describes how nodes distribute service traffic they receive on one of the Service's
    "externally-facing" addresses"; "traffic sent to an External IP or LoadBalancer IP from within the cluster will always
    get "Cluster" semantics".
    """
    spec = service["spec"]
    if address in cluster_ips(service) and service_port["port"] == port:
        return None if client.outside else str(spec.get("internalTrafficPolicy", "Cluster"))
    balanced = spec.get("type") == "LoadBalancer" and [
        ip_address(each["ip"]) for each in service.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    ]
    external = [ip_address(text) for text in spec.get("externalIPs") or ()]
    if balanced and address in balanced and service_port["port"] == port:
        ranges = [ip_network(text) for text in spec.get("loadBalancerSourceRanges") or ()]
        if client.outside and ranges and not any(client.outside in each for each in ranges):
            return None
    elif not (address in external and service_port["port"] == port) and (
        address not in node_addresses or service_port.get("nodePort") != port
    ):
        return None
    return str(spec.get("externalTrafficPolicy", "Cluster")) if client.outside else "Cluster"


def cluster_ips(service: Object) -> Sequence[Address]:
    """Empty for headless Services ("None") and ExternalName."""
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return ()
    texts = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return [ip_address(text) for text in texts if text and text != "None"]


def _is_another_proxys(service: Object) -> bool:
    """Well-known labels: service-proxy-name "indicates … an alternative proxy", headless: kube-proxy ignores it."""
    labels = service["metadata"].get("labels") or {}
    return any(f"service.kubernetes.io/{name}" in labels for name in ("service-proxy-name", "headless"))


def _is_slice_of(endpoint_slice: Object, service: Object, ip_version: int) -> bool:
    labels = endpoint_slice["metadata"].get("labels") or {}
    return bool(
        endpoint_slice["metadata"]["namespace"] == service["metadata"]["namespace"]
        and labels.get("kubernetes.io/service-name") == service["metadata"]["name"]
        and endpoint_slice["addressType"] == f"IPv{ip_version}"
    )


def _of_port(
    service: Object, service_port: Object, slices: Iterable[Object], client: ClientPlace, local: bool
) -> Outcome:
    entries = [
        (endpoint, number) for one in slices for endpoint in one.get("endpoints") or ()
        for number in _numbers(one, service_port)
    ]  # fmt: skip
    if local:
        # "Local": "endpoints … on the same node as the pod … dropping the traffic if there are no local endpoints".
        own = _usable([entry for entry in entries if entry[0].get("nodeName") == client.node])
        return _reaching(own) if own else (DROPPED if _usable(entries) else REFUSED)
    usable = _usable(entries)
    if not usable:
        return REFUSED
    return _reaching(_near(service, usable, client) if _ready(usable[0][0]) else usable)


_Entry = tuple[Object, int]


def _reaching(entries: Iterable[_Entry]) -> Outcome:
    return Outcome(
        "reaches", frozenset((ip_address(endpoint["addresses"][0]), number) for endpoint, number in entries)
    )


def _numbers(endpoint_slice: Object, service_port: Object) -> Iterable[int]:
    """The ports of the slice that have the Service port's name ("" = unnamed) and protocol."""
    for port in endpoint_slice.get("ports") or ():
        same_name = (port.get("name") or "") == (service_port.get("name") or "")
        same_protocol = (port.get("protocol") or "TCP") == service_port.get("protocol", "TCP")
        if same_name and same_protocol and port.get("port") is not None:
            yield int(port["port"])


def _usable(entries: Sequence[_Entry]) -> list[_Entry]:
    """KEP-1669: ready endpoints; "if there are none, fall back to terminating endpoints that are serving"."""
    ready = [entry for entry in entries if _ready(entry[0])]
    return ready or [entry for entry in entries if _serves_while_it_ends(entry[0])]


def _condition(endpoint: Object, name: str) -> bool | None:
    value = (endpoint.get("conditions") or {}).get(name)
    return None if value is None else bool(value)


def _ready(endpoint: Object) -> bool:
    """"A nil value should be interpreted as "true"."""
    return _condition(endpoint, "ready") is not False


def _serves_while_it_ends(endpoint: Object) -> bool:
    serving = _condition(endpoint, "serving")
    return (_ready(endpoint) if serving is None else serving) and _condition(endpoint, "terminating") is True


def _near(service: Object, ready: list[_Entry], client: ClientPlace) -> list[_Entry]:
    """KEP-3015, KEP-2433: hints are heeded if every endpoint has one, and one of them is the client's."""
    annotations = service["metadata"].get("annotations") or {}
    asked = service["spec"].get("trafficDistribution") or (
        annotations.get("service.kubernetes.io/topology-mode", "").lower() == "auto"
    )
    for kind, mine in (("forNodes", client.node), ("forZones", client.zone)) if asked else ():
        hinted = [
            (entry, [hint["name"] for hint in (entry[0].get("hints") or {}).get(kind) or ()]) for entry in ready
        ]
        if mine and all(names for _, names in hinted) and any(mine in names for _, names in hinted):
            return [entry for entry, names in hinted if mine in names]
    return ready
