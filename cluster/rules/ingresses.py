"""Ingress (kubernetes/pkg/apis/networking/validation, ValidateIngressSpec)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.findings import Finding, Path, found
from cluster.syntax import PORT_RULE, PORTS, SUBDOMAIN_RULE, is_subdomain

_ABSOLUTE = ("Exact", "Prefix")


def findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    spec: Mapping[str, Any] = data.get("spec", {})
    if not spec.get("rules") and "defaultBackend" not in spec:
        yield Finding(("spec",), "found neither; either `defaultBackend` or `rules` must be specified")
    if "defaultBackend" in spec:
        yield from _backend_findings(spec["defaultBackend"], ("spec", "defaultBackend"))
    for index, rule in enumerate(spec.get("rules", ())):
        path: Path = ("spec", "rules", index)
        host = rule.get("host", "")
        if host and not is_subdomain(host.removeprefix("*.")):
            yield Finding((*path, "host"), found(host, SUBDOMAIN_RULE))
        for place, entry in enumerate(rule.get("http", {}).get("paths", ())):
            yield from _path_findings(entry, (*path, "http", "paths", place))


def _path_findings(entry: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    text = entry.get("path", "")
    if entry.get("pathType") in _ABSOLUTE and not text.startswith("/"):
        yield Finding((*path, "path"), found(text, "must be an absolute path"))
    yield from _backend_findings(entry.get("backend", {}), (*path, "backend"))


def _backend_findings(backend: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    if not backend:
        yield Finding(path, "found no backend; must name a service or a resource")
    service = backend.get("service")
    if service is None:
        return
    port = service.get("port", {})
    if ("name" in port) == ("number" in port):
        yield Finding((*path, "service", "port"), "must have either a name or a number")
    elif "number" in port and port["number"] not in PORTS:
        yield Finding((*path, "service", "port", "number"), found(port["number"], PORT_RULE))
