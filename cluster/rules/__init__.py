"""What the API server enforces beyond the schemas, in Kubernetes' own words.

    metadata    names, namespaces, labels of every kind; selectors
    values      fields that take one of a few words
    pods        containers, ports, probes
    workloads   a selector matches its template; restart policies
    services    Services and EndpointSlices
    policies    NetworkPolicy
    ingresses   Ingress, IngressClass
    config_maps the Corefile of the cluster's DNS servers
    together    what only shows when all objects are seen: duplicates, missing namespaces, named ports

Each is a function from one object to findings. Objects have passed the schema or have lost the fields that did
not, so any field may be missing, but none has a wrong type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from cluster.reading.findings import Finding
from cluster.rules import config_maps, ingresses, metadata, pods, policies, services, values, workloads

Rule = Callable[[Mapping[str, Any]], Iterator[Finding]]

_FOR_ALL: tuple[Rule, ...] = (metadata.findings, values.findings, pods.findings, workloads.findings)

_BY_KIND: Mapping[str, Rule] = {
    "Service": services.findings,
    "EndpointSlice": services.endpoint_slice_findings,
    "NetworkPolicy": policies.findings,
    "Ingress": ingresses.findings,
    "IngressClass": ingresses.class_findings,
    "ConfigMap": config_maps.findings,
}


def findings(data: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with one object, by itself; in the order of the rules. Nothing is left of one of no known kind."""
    if not data:
        return []
    own = _BY_KIND.get(str(data.get("kind")))
    rules = (*_FOR_ALL, own) if own else _FOR_ALL
    return list(chain.from_iterable(rule(data) for rule in rules))
