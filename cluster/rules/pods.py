"""Pods and pod templates: containers, their ports and probes (kubernetes/pkg/apis/core/validation)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.reading.findings import Finding, Path, dotted, found
from cluster.reading.syntax import (
    DNS_LABEL_RULE,
    IP_RULE,
    PORT_NAME_RULE,
    PORT_RULE,
    PORTS,
    SUBDOMAIN_RULE,
    is_dns_label,
    is_ip,
    is_port_name,
    is_subdomain,
    label_findings,
)
from cluster.rules.metadata import under
from cluster.templates import template_path, value_at

_LISTS = ("initContainers", "containers")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("exec", "grpc", "httpGet", "tcpSocket")
_POSITIVE = ("periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold")
_DEFAULT_PROTOCOL = "TCP"

MOST_NAMESERVERS, MOST_SEARCH_PATHS, MOST_SEARCH_CHARACTERS = 3, 32, 2048
"""Of dnsConfig, and of a pod's /etc/resolv.conf."""

PortKey = tuple[int, str]
"""Number and protocol."""


def findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    path = template_path(str(data.get("kind")))
    if path is None:
        return
    template = value_at(data, path) or {}
    if path:  # a Pod's own metadata is checked as every object's
        for finding in label_findings(template.get("metadata", {}).get("labels", {})):
            yield under((*path, "metadata", "labels"), finding)
    for finding in _spec_findings(template.get("spec", {})):
        yield under((*path, "spec"), finding)


def _spec_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    if spec.get("containers") == []:
        yield Finding(("containers",), "found an empty list; must have at least one container")
    seen: dict[str, Path] = {}
    for path, container in containers(spec):
        yield from _container_name_findings(path, container, seen)
        if "image" not in container:
            yield Finding((*path, "image"), "found nothing; must be set")
        yield from _port_findings(path, container, bool(spec.get("hostNetwork")))
        yield from _probe_findings(path, container)
    yield from _shared_port_findings(spec)
    yield from _name_service_findings(spec)
    for finding in label_findings(spec.get("nodeSelector", {})):
        yield under(("nodeSelector",), finding)


def containers(spec: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """All containers of a pod spec with their paths, init containers first."""
    for name in _LISTS:
        for index, container in enumerate(spec.get(name, ())):
            yield (name, index), container


def _container_name_findings(path: Path, container: Mapping[str, Any], seen: dict[str, Path]) -> Iterator[Finding]:
    name = container.get("name")
    if name is None:
        return
    if not is_dns_label(name):
        yield Finding((*path, "name"), found(name, DNS_LABEL_RULE))
    if name in seen:
        yield Finding((*path, "name"), found(name, "a container of this pod has that name; names must be unique"))
    seen.setdefault(name, path)


def _port_findings(path: Path, container: Mapping[str, Any], host_network: bool) -> Iterator[Finding]:
    names: set[str] = set()
    for index, port in enumerate(container.get("ports", ())):
        here = (*path, "ports", index)
        for field in ("containerPort", "hostPort"):
            if field in port and port[field] not in PORTS:
                yield Finding((*here, field), found(port[field], PORT_RULE))
        if host_network and port.get("hostPort", port.get("containerPort")) != port.get("containerPort"):
            rule = "must match `containerPort` when `hostNetwork` is true"
            yield Finding((*here, "hostPort"), found(port["hostPort"], rule))
        name = port.get("name")
        if name is not None and not is_port_name(name):
            yield Finding((*here, "name"), found(name, PORT_NAME_RULE))
        if name in names:
            yield Finding((*here, "name"), found(name, "a port of this container has that name; names must be unique"))
        names |= {name} if name else set()


def _shared_port_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    """Two containers that run at the same time cannot both listen on one port of their common address."""
    owners: dict[PortKey, tuple[Path, str]] = {}
    for path, container in containers(spec):
        if path[0] == "initContainers" and container.get("restartPolicy") != "Always":
            continue  # it has ended before the others start; with Always it is a sidecar
        for index, port in enumerate(container.get("ports", ())):
            if "containerPort" not in port:
                continue
            key = (port["containerPort"], port.get("protocol", _DEFAULT_PROTOCOL))
            owner, name = owners.setdefault(key, (path, container.get("name", dotted(path))))
            if owner != path:
                yield Finding(
                    (*path, "ports", index, "containerPort"),
                    f"found {key[0]}/{key[1]}; container '{name}' has that port, and all containers of a pod share "
                    "one network namespace: must be another port",
                )


def _probe_findings(path: Path, container: Mapping[str, Any]) -> Iterator[Finding]:
    for name in _PROBES:
        if name in container:
            yield from _one_probe_findings((*path, name), container[name])


def _one_probe_findings(path: Path, probe: Mapping[str, Any]) -> Iterator[Finding]:
    handlers = [handler for handler in _HANDLERS if handler in probe]
    if not handlers:
        yield Finding(path, "must specify a handler type: " + ", ".join(_HANDLERS))
    elif len(handlers) > 1:
        yield Finding((*path, handlers[1]), f"found beside {handlers[0]}; may not specify more than 1 handler type")
    for handler in handlers:
        port = probe[handler].get("port")
        if port is not None:
            yield from port_reference_findings((*path, handler, "port"), port)
    for field in _POSITIVE:
        if probe.get(field, 1) < 1:
            yield Finding((*path, field), found(probe[field], "must be greater than 0"))


def port_reference_findings(path: Path, port: int | str) -> Iterator[Finding]:
    """An IntOrString that means a port: a number in range, or a port's name."""
    if isinstance(port, int) and port not in PORTS:
        yield Finding(path, found(port, PORT_RULE))
    if isinstance(port, str) and not is_port_name(port):
        yield Finding(path, found(port, f"{PORT_RULE} (without quotes), or {PORT_NAME_RULE.removeprefix('must be ')}"))


def _name_service_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    for field in ("hostname", "subdomain"):
        if field in spec and not is_dns_label(spec[field]):
            yield Finding((field,), found(spec[field], DNS_LABEL_RULE))
    for index, alias in enumerate(spec.get("hostAliases", ())):
        if "ip" in alias and not is_ip(alias["ip"]):
            yield Finding(("hostAliases", index, "ip"), found(alias["ip"], IP_RULE))
    config = spec.get("dnsConfig", {})
    if spec.get("dnsPolicy") == "None" and not config.get("nameservers"):
        rule = "must provide at least one DNS nameserver when `dnsPolicy` is 'None'"
        yield Finding(("dnsConfig", "nameservers"), f"found none; {rule}")
    for finding in _dns_config_findings(config):
        yield under(("dnsConfig",), finding)


def _dns_config_findings(config: Mapping[str, Any]) -> Iterator[Finding]:
    """ValidatePodDNSConfig."""
    servers, searches = config.get("nameservers", ()), config.get("searches", ())
    if len(servers) > MOST_NAMESERVERS:
        rule = f"must not have more than {MOST_NAMESERVERS} nameservers"
        yield Finding(("nameservers",), f"found {len(servers)}; {rule}")
    for index, server in enumerate(servers):
        if not is_ip(server):
            yield Finding(("nameservers", index), found(server, IP_RULE))
    if len(searches) > MOST_SEARCH_PATHS:
        rule = f"must not have more than {MOST_SEARCH_PATHS} search paths"
        yield Finding(("searches",), f"found {len(searches)}; {rule}")
    characters = len(" ".join(searches))
    if characters > MOST_SEARCH_CHARACTERS:
        rule = f"must not have more than {MOST_SEARCH_CHARACTERS} characters (including spaces) in the search list"
        yield Finding(("searches",), f"found {characters}; {rule}")
    for index, search in enumerate(searches):
        if search != "." and not is_subdomain(search.removesuffix(".").replace("_", "x")):
            yield Finding(("searches", index), found(search, SUBDOMAIN_RULE))
    for index, option in enumerate(config.get("options", ())):
        if not option.get("name"):
            yield Finding(("options", index, "name"), "found nothing; must not be empty")
