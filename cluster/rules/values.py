"""Fields that take one of a few words, as a table: the schemas call them plain strings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.reading.findings import Finding, Path, any_of, found, suggestion
from cluster.templates import pod_spec_path

ALL = "*"
"""In a pattern: every item of a list."""

Pattern = tuple[str, ...]

PROTOCOLS = ("TCP", "UDP", "SCTP")
_TRAFFIC_POLICIES = ("Cluster", "Local")
_IP_FAMILIES = ("IPv4", "IPv6")

POD_SPEC: Mapping[Pattern, tuple[str, ...]] = {
    ("restartPolicy",): ("Always", "OnFailure", "Never"),
    ("dnsPolicy",): ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    ("containers", ALL, "imagePullPolicy"): ("Always", "IfNotPresent", "Never"),
    ("containers", ALL, "ports", ALL, "protocol"): PROTOCOLS,
    ("initContainers", ALL, "ports", ALL, "protocol"): PROTOCOLS,
}

BY_KIND: Mapping[str, Mapping[Pattern, tuple[str, ...]]] = {
    "Service": {
        ("spec", "type"): ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
        ("spec", "sessionAffinity"): ("None", "ClientIP"),
        ("spec", "internalTrafficPolicy"): _TRAFFIC_POLICIES,
        ("spec", "externalTrafficPolicy"): _TRAFFIC_POLICIES,
        ("spec", "ipFamilyPolicy"): ("SingleStack", "PreferDualStack", "RequireDualStack"),
        ("spec", "ipFamilies", ALL): _IP_FAMILIES,
        ("spec", "ports", ALL, "protocol"): PROTOCOLS,
        ("spec", "trafficDistribution"): ("PreferClose", "PreferSameZone", "PreferSameNode"),
    },
    "NetworkPolicy": {
        ("spec", "policyTypes", ALL): ("Ingress", "Egress"),
        ("spec", "ingress", ALL, "ports", ALL, "protocol"): PROTOCOLS,
        ("spec", "egress", ALL, "ports", ALL, "protocol"): PROTOCOLS,
    },
    "EndpointSlice": {
        ("addressType",): ("IPv4", "IPv6", "FQDN"),
        ("ports", ALL, "protocol"): PROTOCOLS,
    },
    "Endpoints": {("subsets", ALL, "ports", ALL, "protocol"): PROTOCOLS},
    "Ingress": {
        ("spec", "rules", ALL, "http", "paths", ALL, "pathType"): ("Exact", "Prefix", "ImplementationSpecific"),
    },
    "Deployment": {("spec", "strategy", "type"): ("RollingUpdate", "Recreate")},
    "DaemonSet": {("spec", "updateStrategy", "type"): ("RollingUpdate", "OnDelete")},
    "StatefulSet": {
        ("spec", "updateStrategy", "type"): ("RollingUpdate", "OnDelete"),
        ("spec", "podManagementPolicy"): ("OrderedReady", "Parallel"),
    },
    "CronJob": {("spec", "concurrencyPolicy"): ("Allow", "Forbid", "Replace")},
    "Job": {("spec", "completionMode"): ("NonIndexed", "Indexed")},
}


def findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    kind = str(data.get("kind"))
    for pattern, supported in BY_KIND.get(kind, {}).items():
        yield from _misfits(data, pattern, (), supported)
    prefix = pod_spec_path(kind)
    if prefix is not None:
        for pattern, supported in POD_SPEC.items():
            yield from _misfits(data, (*(str(step) for step in prefix), *pattern), (), supported)


def _misfits(value: Any, pattern: Pattern, path: Path, supported: tuple[str, ...]) -> Iterator[Finding]:
    if not pattern:
        if value not in supported:
            yield Finding(path, found(value, any_of(supported) + suggestion(value, supported)))
    elif pattern[0] == ALL:
        for index, item in enumerate(value):
            yield from _misfits(item, pattern[1:], (*path, index), supported)
    elif pattern[0] in value:
        yield from _misfits(value[pattern[0]], pattern[1:], (*path, pattern[0]), supported)
