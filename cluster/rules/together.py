"""What only shows when all objects of a spec are seen: duplicates, missing namespaces, addresses, named ports."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from cluster.model import Cluster
from cluster.problems import Problem
from cluster.reading.documents import Document
from cluster.reading.findings import Finding, Path, found
from cluster.reading.syntax import is_ip
from cluster.rules.pods import containers
from cluster.rules.services import cluster_ips
from cluster.selectors import matches_labels
from cluster.templates import template_path, value_at
from cluster.well_known import HEADLESS

BUILT_IN_NAMESPACES = frozenset(("default", "kube-system", "kube-public", "kube-node-lease"))

Claim = tuple[Document, Path, Hashable]
"""An object claims something, at a path, that only one may have."""


def check(documents: Sequence[Document], cluster: Cluster | None) -> list[Problem]:
    """`documents` as `manifests.check` left them. `cluster` is None when its document is wrong."""
    named = [document for document in documents if _name(document)]
    problems = [*_clashes(_identities(named), "{0} already exists, declared at {1}; must have another name")]
    problems += _missing_namespaces(named)
    services = [document for document in named if document.data.get("kind") == "Service"]
    problems += _clashes(_node_ports(services), "provided port is already allocated, by {0} at {1}")
    problems += _clashes(_addresses(services), "provided IP is already allocated, by {0} at {1}")
    if cluster is not None:
        problems += _foreign_addresses(services, cluster)
    problems += _unnamed_target_ports(services, _templates(named))
    return problems


def _metadata(document: Document) -> Mapping[str, Any]:
    metadata: Mapping[str, Any] = document.data.get("metadata", {})
    return metadata


def _name(document: Document) -> str:
    return str(_metadata(document).get("name", ""))


def _namespace(document: Document) -> str:
    return str(_metadata(document).get("namespace", ""))


def _spec(document: Document) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = document.data.get("spec", {})
    return spec


def _clashes(claims: Iterable[Claim], sentence: str) -> Iterator[Problem]:
    """A problem for every claim that is not the first of its kind, naming the first."""
    first: dict[Hashable, Document] = {}
    for document, path, claimed in claims:
        holder = first.setdefault(claimed, document)
        if holder is not document:
            said = found(value_at(document.data, path), "")
            owner = holder.problem(Finding((), "")).subject
            message = said + sentence.format(owner, f"{holder.file}:{holder.line}")
            yield document.problem(Finding(path, message))


def _identities(documents: Iterable[Document]) -> Iterator[Claim]:
    for document in documents:
        group = str(document.data.get("apiVersion")).rpartition("/")[0]
        key = (group, document.data.get("kind"), _namespace(document), _name(document))
        yield document, ("metadata", "name"), key


def _missing_namespaces(documents: Sequence[Document]) -> Iterator[Problem]:
    declared = {_name(document) for document in documents if document.data.get("kind") == "Namespace"}
    known = declared | BUILT_IN_NAMESPACES
    for document in documents:
        namespace = _namespace(document)
        if namespace and namespace not in known and document.data.get("kind") != "Namespace":
            message = f"namespace '{namespace}' is not declared; add a Namespace document"
            yield document.problem(Finding(("metadata", "namespace"), message))


def _node_ports(services: Iterable[Document]) -> Iterator[Claim]:
    for document in services:
        for index, port in enumerate(_spec(document).get("ports", ())):
            if port.get("nodePort"):
                claimed = (port["nodePort"], port.get("protocol", "TCP"))
                yield document, ("spec", "ports", index, "nodePort"), claimed


def _addresses(services: Iterable[Document]) -> Iterator[Claim]:
    for document in services:
        for path, address in cluster_ips(_spec(document)):
            if is_ip(address):
                yield document, ("spec", *path), ip_address(address)


def _foreign_addresses(services: Iterable[Document], cluster: Cluster) -> Iterator[Problem]:
    ranges = cluster.service_subnets
    for document in services:
        for path, address in cluster_ips(_spec(document)):
            if address != HEADLESS and is_ip(address) and not any(ip_address(address) in known for known in ranges):
                inside = " or ".join(map(str, ranges))
                rule = f"provided IP is not in the valid range. The range of valid IPs is {inside}"
                yield document.problem(Finding(("spec", *path), found(address, rule)))


Template = tuple[str, Mapping[str, str], Mapping[str, Any]]
"""Namespace, labels and spec of the pods that a workload makes."""


def _templates(documents: Iterable[Document]) -> list[Template]:
    templates: list[Template] = []
    for document in documents:
        path = template_path(str(document.data.get("kind")))
        template = value_at(document.data, path) if path is not None else None
        if isinstance(template, dict):
            labels = template.get("metadata", {}).get("labels", {})
            templates.append((_namespace(document), labels, template.get("spec", {})))
    return templates


def _unnamed_target_ports(services: Iterable[Document], templates: Sequence[Template]) -> Iterator[Problem]:
    """A targetPort that is a name must be some selected pod's port name. Without pods nothing can be said."""
    for document in services:
        selector = _spec(document).get("selector")
        if not selector:
            continue
        selected = [
            pod_spec
            for namespace, labels, pod_spec in templates
            if namespace == _namespace(document) and matches_labels(selector, labels)
        ]
        have = sorted({name for pod_spec in selected for name in _port_names(pod_spec)})
        for index, port in enumerate(_spec(document).get("ports", ())):
            wanted = port.get("targetPort")
            if isinstance(wanted, str) and selected and wanted not in have:
                message = found(wanted, f"no selected pod has that port name (have: {', '.join(have) or 'none'})")
                yield document.problem(Finding(("spec", "ports", index, "targetPort"), message))


def _port_names(pod_spec: Mapping[str, Any]) -> Iterator[str]:
    for _, container in containers(pod_spec):
        for port in container.get("ports", ()):
            if "name" in port:
                yield port["name"]
