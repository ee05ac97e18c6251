"""Services and EndpointSlices (kubernetes/pkg/apis/core/validation, ValidateService; pkg/apis/discovery/validation)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from cluster.reading.findings import Finding, Path, found
from cluster.reading.syntax import (
    CIDR_RULE,
    DNS_LABEL_RULE,
    IP_RULE,
    NODE_PORTS,
    PORT_RULE,
    PORTS,
    SUBDOMAIN_RULE,
    is_cidr,
    is_dns_label,
    is_ip,
    is_subdomain,
    label_findings,
)
from cluster.rules.metadata import under
from cluster.rules.pods import port_reference_findings
from cluster.well_known import HEADLESS

_EXTERNAL_NAME = "ExternalName"
_DEFAULT_TYPE = "ClusterIP"
_WITH_NODE_PORTS = ("NodePort", "LoadBalancer")
_AFFINITY_TIMEOUT_S = range(1, 86401)
_IP_VERSIONS = {"IPv4": 4, "IPv6": 6}


def findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    for finding in _spec_findings(data.get("spec", {})):
        yield under(("spec",), finding)


def cluster_ips(spec: Mapping[str, Any]) -> list[tuple[Path, str]]:
    """The addresses that a Service asks for, each once, with their paths; "None" among them."""
    asked: list[tuple[Path, str]] = [(("clusterIP",), spec["clusterIP"])] if spec.get("clusterIP") else []
    asked += [(("clusterIPs", index), address) for index, address in enumerate(spec.get("clusterIPs", ()))]
    first: dict[str, Path] = {}
    for path, address in asked:
        first.setdefault(address, path)
    return [(path, address) for address, path in first.items()]


def _spec_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    kind = spec.get("type", _DEFAULT_TYPE)
    ports = spec.get("ports", ())
    if not ports and kind != _EXTERNAL_NAME and spec.get("clusterIP") != HEADLESS:
        yield Finding(("ports",), "found no ports; must have at least one unless headless or ExternalName")
    for finding in label_findings(spec.get("selector", {})):
        yield under(("selector",), finding)
    yield from _port_list_findings(ports, kind)
    yield from _address_findings(spec)
    if kind == _EXTERNAL_NAME and not is_subdomain(spec.get("externalName", "").removesuffix(".")):
        yield Finding(("externalName",), found(spec.get("externalName"), SUBDOMAIN_RULE))
    if "externalTrafficPolicy" in spec and kind not in _WITH_NODE_PORTS and not spec.get("externalIPs"):
        rule = "may only be set for externally-accessible services"
        yield Finding(("externalTrafficPolicy",), found(spec["externalTrafficPolicy"], rule))
    timeout_s = spec.get("sessionAffinityConfig", {}).get("clientIP", {}).get("timeoutSeconds")
    if timeout_s is not None and timeout_s not in _AFFINITY_TIMEOUT_S:
        rule = f"must be between {_AFFINITY_TIMEOUT_S[0]} and {_AFFINITY_TIMEOUT_S[-1]}, inclusive"
        yield Finding(("sessionAffinityConfig", "clientIP", "timeoutSeconds"), found(timeout_s, rule))


def _port_list_findings(ports: Any, kind: str) -> Iterator[Finding]:
    names: set[str] = set()
    numbers: set[tuple[int, str]] = set()
    for index, port in enumerate(ports):
        path: Path = ("ports", index)
        yield from _port_findings(port, kind, path)
        name = port.get("name")
        if name is None and len(ports) > 1:
            yield Finding((*path, "name"), "found nothing; must be set where a Service has more than one port")
        if name in names:
            yield Finding((*path, "name"), found(name, "a port of this Service has that name; names must be unique"))
        names |= {name} if name else set()
        key = (port.get("port", 0), port.get("protocol", "TCP"))
        if key in numbers:
            yield Finding((*path, "port"), f"found {key[0]}/{key[1]} twice; each port and protocol must be unique")
        numbers.add(key)


def _port_findings(port: Mapping[str, Any], kind: str, path: Path) -> Iterator[Finding]:
    if "port" in port and port["port"] not in PORTS:
        yield Finding((*path, "port"), found(port["port"], PORT_RULE))
    if "targetPort" in port:
        yield from port_reference_findings((*path, "targetPort"), port["targetPort"])
    name = port.get("name")
    if name is not None and not is_dns_label(name):
        yield Finding((*path, "name"), found(name, DNS_LABEL_RULE))
    node_port = port.get("nodePort")
    if not node_port:
        return
    if kind not in _WITH_NODE_PORTS:
        yield Finding((*path, "nodePort"), found(node_port, f"may not be used when `type` is '{kind}'"))
    elif node_port not in NODE_PORTS:
        rule = f"provided port is not in the valid range. The range of valid ports is {NODE_PORTS[0]}-{NODE_PORTS[-1]}"
        yield Finding((*path, "nodePort"), found(node_port, rule))


def _address_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    for path, address in cluster_ips(spec):
        if address != HEADLESS and not is_ip(address):
            yield Finding(path, found(address, f"must be 'None' or {IP_RULE.removeprefix('must be ')}"))
    for index, address in enumerate(spec.get("externalIPs", ())):
        if not is_ip(address):
            yield Finding(("externalIPs", index), found(address, IP_RULE))
    for index, source in enumerate(spec.get("loadBalancerSourceRanges", ())):
        if not is_cidr(source):
            yield Finding(("loadBalancerSourceRanges", index), found(source, CIDR_RULE))


def endpoint_slice_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    version = _IP_VERSIONS.get(data.get("addressType", ""))
    for index, endpoint in enumerate(data.get("endpoints", ())):
        for place, address in enumerate(endpoint.get("addresses", ())):
            if version and not (is_ip(address) and ip_address(address).version == version):
                path = ("endpoints", index, "addresses", place)
                yield Finding(path, found(address, f"must be an {data['addressType']} address"))
    for index, port in enumerate(data.get("ports", ())):
        if "port" in port and port["port"] not in PORTS:
            yield Finding(("ports", index, "port"), found(port["port"], PORT_RULE))
