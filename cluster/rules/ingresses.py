"""Ingress and IngressClass (kubernetes/pkg/apis/networking/validation, ValidateIngressCreate, ValidateIngressClass)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cluster import ingress_annotations
from cluster.reading.findings import Finding, Path, found
from cluster.reading.syntax import (
    DNS_1035_RULE,
    PORT_NAME_RULE,
    PORT_RULE,
    PORTS,
    SUBDOMAIN_RULE,
    WILDCARD_RULE,
    is_dns_1035,
    is_ip,
    is_port_name,
    is_subdomain,
    is_wildcard,
)

_ABSOLUTE = ("Exact", "Prefix")
_INVALID_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_INVALID_ENDS = ("/..", "/.")
_MAX_CONTROLLER_LENGTH = 250


def findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    spec: Mapping[str, Any] = data.get("spec", {})
    yield from _class_findings(data, spec)
    if not spec.get("rules") and "defaultBackend" not in spec:
        yield Finding(("spec",), "found neither; either `defaultBackend` or `rules` must be specified")
    if "defaultBackend" in spec:
        yield from _backend_findings(spec["defaultBackend"], ("spec", "defaultBackend"))
    for index, entry in enumerate(spec.get("tls", ())):
        yield from _tls_findings(entry, ("spec", "tls", index))
    for index, rule in enumerate(spec.get("rules", ())):
        path: Path = ("spec", "rules", index)
        yield from _host_findings(rule.get("host", ""), (*path, "host"))
        if "http" in rule and not rule["http"].get("paths"):
            yield Finding((*path, "http", "paths"), "found none; must have at least one path")
        for place, entry in enumerate(rule.get("http", {}).get("paths", ())):
            yield from _path_findings(entry, (*path, "http", "paths", place))


def class_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Of an IngressClass."""
    spec: Mapping[str, Any] = data.get("spec", {})
    controller = spec.get("controller", "")
    prefix, slash, name = controller.partition("/")
    if len(controller) > _MAX_CONTROLLER_LENGTH:
        yield Finding(("spec", "controller"), found(controller, f"may not be more than {_MAX_CONTROLLER_LENGTH} bytes"))
    elif controller and not (slash and name and is_subdomain(prefix)):
        rule = 'must be a domain-prefixed path (such as "acme.io/foo")'
        yield Finding(("spec", "controller"), found(controller, rule))
    parameters: Mapping[str, Any] = spec.get("parameters", {})
    path = ("spec", "parameters", "namespace")
    if parameters.get("scope") == "Namespace" and not parameters.get("namespace"):
        yield Finding(path, "found nothing; `parameters.scope` is set to 'Namespace'")
    elif parameters.get("scope") == "Cluster" and parameters.get("namespace"):
        yield Finding(path, found(parameters["namespace"], "may not be specified: `parameters.scope` is set to 'Cluster'"))


def _class_findings(data: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Finding]:
    name = spec.get("ingressClassName")
    if name is None:
        return
    if not is_subdomain(name):
        yield Finding(("spec", "ingressClassName"), found(name, SUBDOMAIN_RULE))
    annotated = (data.get("metadata", {}).get("annotations") or {}).get(ingress_annotations.CLASS)
    if annotated:
        path = ("metadata", "annotations", ingress_annotations.CLASS)
        yield Finding(path, found(annotated, "can not be set when the class field is also set"))


def _host_findings(host: str, path: Path) -> Iterator[Finding]:
    if is_ip(host):
        yield Finding(path, found(host, "must be a DNS name, not an IP address"))
    elif host:
        yield from _name_findings(host, path)


def _name_findings(name: str, path: Path) -> Iterator[Finding]:
    """Of a host name that may be a wildcard."""
    if "*" in name:
        if not is_wildcard(name):
            yield Finding(path, found(name, WILDCARD_RULE))
    elif not is_subdomain(name):
        yield Finding(path, found(name, SUBDOMAIN_RULE))


def _tls_findings(entry: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    for index, host in enumerate(entry.get("hosts", ())):
        yield from _name_findings(host, (*path, "hosts", index))
    secret = entry.get("secretName")
    if secret and not is_subdomain(secret):
        yield Finding((*path, "secretName"), found(secret, SUBDOMAIN_RULE))


def _path_findings(entry: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    text, path_type = entry.get("path", ""), entry.get("pathType")
    if (path_type in _ABSOLUTE or (path_type == "ImplementationSpecific" and text)) and not text.startswith("/"):
        yield Finding((*path, "path"), found(text, "must be an absolute path"))
    if path_type in _ABSOLUTE:
        for sequence in _INVALID_SEQUENCES:
            if sequence in text:
                yield Finding((*path, "path"), found(text, f"must not contain '{sequence}'"))
        for end in _INVALID_ENDS:
            if text.endswith(end):
                yield Finding((*path, "path"), found(text, f"cannot end with '{end}'"))
    yield from _backend_findings(entry.get("backend", {}), (*path, "backend"))


def _backend_findings(backend: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    service = backend.get("service")
    if service is None:
        if "resource" not in backend:
            yield Finding(path, "found no backend; resource or service backend is required")
        return
    if "resource" in backend:
        yield Finding(path, "found both; cannot set both resource and service backends")
        return
    name, port = service.get("name", ""), service.get("port", {})
    if name and not is_dns_1035(name):
        yield Finding((*path, "service", "name"), found(name, DNS_1035_RULE))
    port_path = (*path, "service", "port")
    if "name" in port and "number" in port:
        yield Finding(port_path, "found both; cannot set both port name & port number")
    elif "name" in port:
        if not is_port_name(port["name"]):
            yield Finding((*port_path, "name"), found(port["name"], PORT_NAME_RULE))
    elif "number" not in port:
        yield Finding(port_path, "found neither; port name or number is required")
    elif port["number"] not in PORTS:
        yield Finding((*port_path, "number"), found(port["number"], PORT_RULE))
