"""The columns of what the network is made of: Services, endpoints, ingresses, policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.apiserver.tables.columns import AGE, NAME, WIDE, Column, at, column
from cluster.apiserver.tables.text import NONE, UNSET, host_port, labels, selector, shortened

Object = Mapping[str, Any]


def _cluster_ip(service: Object) -> str:
    spec = service["spec"]
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return addresses[0] or NONE


def _external_ip(service: Object) -> str:
    spec = service["spec"]
    external = list(spec.get("externalIPs") or ())
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    if spec.get("type") == "LoadBalancer":
        given = external + _addresses(service)
        return ",".join(given) or "<pending>"
    return ",".join(external) or NONE


def _addresses(obj: Object) -> list[str]:
    """Of a load balancer's status."""
    entries = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return sorted({each.get("ip") or each.get("hostname") or "" for each in entries} - {""})


def _ports(service: Object) -> str:
    ports = service["spec"].get("ports") or ()
    told = (f"{each['port']}{_node_port(each)}/{each.get('protocol', 'TCP')}" for each in ports)
    return ",".join(told) or NONE


def _node_port(port: Object) -> str:
    return f":{port['nodePort']}" if port.get("nodePort") else ""


def _endpoints(obj: Object) -> str:
    found: list[str] = []
    for subset in obj.get("subsets") or ():
        addresses = [each["ip"] for each in subset.get("addresses") or ()]
        ports = [each["port"] for each in subset.get("ports") or ()]
        found += [host_port(address, port) for port in ports for address in addresses] if ports else addresses
    return shortened(found, NONE)


def _slice_ports(obj: Object) -> str:
    ports = obj.get("ports") or ()
    return shortened([str(each.get("port", each.get("name") or "*")) for each in ports], UNSET)


def _slice_endpoints(obj: Object) -> str:
    endpoints = obj.get("endpoints") or ()
    return shortened([address for each in endpoints for address in each.get("addresses") or ()], UNSET)


def _hosts(ingress: Object) -> str:
    hosts = [each["host"] for each in ingress["spec"].get("rules") or () if each.get("host")]
    return shortened(hosts, "*")


def _ingress_ports(ingress: Object) -> str:
    return "80, 443" if ingress["spec"].get("tls") else "80"


def _parameters(ingress_class: Object) -> str:
    parameters = (ingress_class.get("spec") or {}).get("parameters")
    if not parameters:
        return NONE
    group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") else ""
    return f"{parameters['kind']}{group}/{parameters['name']}"


COLUMNS: Mapping[str, Sequence[Column]] = {
    "Service": (
        NAME,
        column("Type", at("spec.type", "")),
        column("Cluster-IP", _cluster_ip),
        column("External-IP", _external_ip),
        column("Port(s)", _ports),
        AGE,
        column("Selector", lambda obj: labels(obj["spec"].get("selector")), WIDE),
    ),
    "Endpoints": (NAME, column("Endpoints", _endpoints), AGE),
    "EndpointSlice": (
        NAME,
        column("AddressType", at("addressType", "")),
        column("Ports", _slice_ports),
        column("Endpoints", _slice_endpoints),
        AGE,
    ),
    "Ingress": (
        NAME,
        column("Class", at("spec.ingressClassName")),
        column("Hosts", _hosts),
        column("Address", lambda obj: ",".join(_addresses(obj))),
        column("Ports", _ingress_ports),
        AGE,
    ),
    "IngressClass": (
        NAME,
        column("Controller", at("spec.controller", "")),
        column("Parameters", _parameters),
        AGE,
    ),
    "NetworkPolicy": (NAME, column("Pod-Selector", lambda obj: selector(obj["spec"].get("podSelector"))), AGE),
}
