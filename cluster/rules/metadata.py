"""Names, labels and annotations of every object; label selectors wherever they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cluster import kinds
from cluster.reading.findings import Finding, Path, any_of, found
from cluster.reading.syntax import (
    DNS_1035_RULE,
    DNS_LABEL_RULE,
    LABEL_KEY_RULE,
    LABEL_VALUE_RULE,
    PATH_SEGMENT_RULE,
    SUBDOMAIN_RULE,
    is_dns_1035,
    is_dns_label,
    is_label_value,
    is_path_segment,
    is_qualified_name,
    is_subdomain,
    label_findings,
)

NameRule = tuple[Callable[[str], bool], str]

_SUBDOMAIN: NameRule = (is_subdomain, SUBDOMAIN_RULE)
_PATH_SEGMENT: NameRule = (is_path_segment, PATH_SEGMENT_RULE)
_NAME_RULES: Mapping[str, NameRule] = {
    "Namespace": (is_dns_label, DNS_LABEL_RULE),
    "Service": (is_dns_1035, DNS_1035_RULE),
    "ClusterRole": _PATH_SEGMENT,
    "ClusterRoleBinding": _PATH_SEGMENT,
    "Role": _PATH_SEGMENT,
    "RoleBinding": _PATH_SEGMENT,
}
"""Every other kind's name is a DNS subdomain."""

SET_OPERATORS = ("In", "NotIn")
EXISTENCE_OPERATORS = ("Exists", "DoesNotExist")


def findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    metadata: Mapping[str, Any] = data.get("metadata", {})
    yield from _name_findings(str(data.get("kind")), metadata)
    for finding in label_findings(metadata.get("labels", {})):
        yield under(("metadata", "labels"), finding)
    for key in metadata.get("annotations", {}):
        if not is_qualified_name(key.lower()):
            yield Finding(("metadata", "annotations", key), found(key, LABEL_KEY_RULE))


def under(prefix: Path, finding: Finding) -> Finding:
    return Finding((*prefix, *finding.path), finding.message)


def _name_findings(kind: str, metadata: Mapping[str, Any]) -> Iterator[Finding]:
    path = ("metadata", "name")
    if "name" not in metadata:
        yield Finding(path, "found nothing; must be set")
        return
    valid, rule = _NAME_RULES.get(kind, _SUBDOMAIN)
    if not valid(metadata["name"]):
        yield Finding(path, found(metadata["name"], rule))
    namespace = metadata.get("namespace")
    if namespace is not None and not kinds.namespaced(kind):
        yield Finding(("metadata", "namespace"), found(namespace, f"{kind} has no namespace: remove the field"))
    elif namespace is not None and not is_dns_label(namespace):
        yield Finding(("metadata", "namespace"), found(namespace, DNS_LABEL_RULE))


def selector_findings(selector: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    """A LabelSelector (apimachinery/pkg/apis/meta/v1/validation, ValidateLabelSelector)."""
    for finding in label_findings(selector.get("matchLabels", {})):
        yield under((*path, "matchLabels"), finding)
    for index, requirement in enumerate(selector.get("matchExpressions", ())):
        yield from _requirement_findings(requirement, (*path, "matchExpressions", index))


def _requirement_findings(requirement: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    operator, values = requirement.get("operator"), requirement.get("values", [])
    if "key" in requirement and not is_qualified_name(requirement["key"]):
        yield Finding((*path, "key"), found(requirement["key"], LABEL_KEY_RULE))
    if operator in SET_OPERATORS and not values:
        yield Finding((*path, "values"), "found no values; must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in EXISTENCE_OPERATORS and values:
        rule = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        yield Finding((*path, "values"), found(values, rule))
    elif operator is not None and operator not in SET_OPERATORS + EXISTENCE_OPERATORS:
        yield Finding((*path, "operator"), found(operator, any_of(SET_OPERATORS + EXISTENCE_OPERATORS)))
    for index, value in enumerate(values):
        if not is_label_value(value):
            yield Finding((*path, "values", index), found(value, LABEL_VALUE_RULE))
