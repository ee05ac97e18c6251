"""Label and field selectors as query parameters: "app in (a,b),tier!=x", "status.phase=Running".

apimachinery/pkg/labels/selector.go and pkg/fields/selector.go; which fields a kind knows, as each kind's strategy in
Kubernetes says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.reading.findings import Path
from cluster.reading.syntax import is_label_value, is_qualified_name
from cluster.registry.errors import StatusError, bad_request, quoted
from cluster.resources import Resource
from cluster.selectors import satisfies
from cluster.templates import value_at

_ALWAYS: Mapping[str, Path] = {"metadata.name": ("metadata", "name"), "metadata.namespace": ("metadata", "namespace")}


def _paths(*names: str) -> Mapping[str, Path]:
    return {name: tuple(name.split(".")) for name in names}


FIELDS: Mapping[str, Mapping[str, Path]] = {
    "Pod": _paths(
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.nominatedNodeName",
    ),
    "Event": {
        **_paths(
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
            "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
            "reason", "reportingComponent", "source", "type",
        ),
        "source": ("source", "component"),
    },
    "Namespace": _paths("status.phase"),
    "Node": _paths("spec.unschedulable"),
    "Secret": _paths("type"),
    "ReplicaSet": _paths("status.replicas"),
    "ReplicationController": _paths("status.replicas"),
    "Job": _paths("status.successful"),
    "CertificateSigningRequest": _paths("spec.signerName"),
    "Service": _paths("spec.clusterIP", "spec.type"),
}  # fmt: skip
"""Beside metadata.name and metadata.namespace, which every kind has."""

_ZERO: Mapping[str, str] = {"spec.unschedulable": "false", "spec.hostNetwork": "false", "status.replicas": "0"}
_TERM = re.compile(
    r"\s*(?:(?P<missing>!)\s*(?P<absent>[^\s,=!()]+)|(?P<key>[^\s,=!()<>]+)\s*(?P<rest>[^,(]*(?:\([^)]*\))?))\s*(?:,|$)"
)
_SET = re.compile(r"(in|notin)\s*\(([^)]*)\)\s*")
_OPERATOR = re.compile(r"(==|=|!=|>|<)\s*(.*?)\s*")


@dataclass(frozen=True, slots=True)
class Selector:
    """Both selectors of a query; `name` is set where the field selector asks for one object's name."""

    labels: Sequence[Mapping[str, Any]]
    fields: Sequence[tuple[Path, str, bool, str]]
    name: str | None = None

    def __bool__(self) -> bool:
        return bool(self.labels or self.fields)

    def matches(self, obj: Mapping[str, Any]) -> bool:
        for path, wanted, equal, zero in self.fields:
            if (_text(value_at(obj, path), zero) == wanted) is not equal:
                return False
        if not self.labels:
            return True
        labels = obj["metadata"].get("labels") or {}
        return all(satisfies(requirement, labels) for requirement in self.labels)


def parse(resource: Resource, label_selector: str, field_selector: str) -> Selector:
    """Raises StatusError 400."""
    fields = []
    name = None
    known = {**_ALWAYS, **FIELDS.get(resource.kind, {})}
    for key, wanted, equal in _field_terms(field_selector):
        if key not in known:
            raise bad_request(f"field label not supported: {key}")
        fields.append((known[key], wanted, equal, _ZERO.get(key, "")))
        if key == "metadata.name" and equal:
            name = wanted
    return Selector(tuple(labels_of(label_selector)), tuple(fields), name)


def labels_of(text: str) -> Sequence[Mapping[str, Any]]:
    """Requirements in the form of `matchExpressions`, with Gt and Lt besides. Raises StatusError 400."""
    requirements, position = [], 0
    text = text.strip()
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None or match.end() == position:
            raise _unparsable(text, f"found {quoted(text[position:])}")
        requirements.append(_requirement(text, match))
        position = match.end()
    if text.endswith(","):
        raise _unparsable(text, "found '', expected: identifier after ','")
    return requirements


def _requirement(text: str, match: re.Match[str]) -> Mapping[str, Any]:
    if match["missing"]:
        return _checked(text, {"key": match["absent"], "operator": "DoesNotExist"})
    key, rest = match["key"], match["rest"].strip()
    if not rest:
        return _checked(text, {"key": key, "operator": "Exists"})
    if found := _SET.fullmatch(rest):
        values = [value.strip() for value in found[2].split(",")]
        return _checked(text, {"key": key, "operator": "In" if found[1] == "in" else "NotIn", "values": values})
    if found := _OPERATOR.fullmatch(rest):
        operator = {"=": "In", "==": "In", "!=": "NotIn", ">": "Gt", "<": "Lt"}[found[1]]
        return _checked(text, {"key": key, "operator": operator, "values": [found[2]]})
    raise _unparsable(text, f"found '{rest}', expected: in, notin, =, ==, !=, gt, lt")


def _checked(text: str, requirement: Mapping[str, Any]) -> Mapping[str, Any]:
    if not is_qualified_name(requirement["key"]):
        raise _unparsable(text, f"key {quoted(requirement['key'])} is not a qualified name")
    for value in requirement.get("values", ()):
        if not is_label_value(value):
            raise _unparsable(text, f"value {quoted(value)} is not a label value")
        if requirement["operator"] in ("Gt", "Lt") and not re.fullmatch(r"-?\d+", value):
            raise _unparsable(text, f"{quoted(value)} must be an integer for '>' and '<'")
    return requirement


def _unparsable(text: str, why: str) -> StatusError:
    return bad_request(f"unable to parse requirement: {why} in the selector {quoted(text)}")


def _field_terms(text: str) -> Sequence[tuple[str, str, bool]]:
    terms = []
    for term in filter(None, re.split(r"(?<!\\),", text)):
        match = re.fullmatch(r"\s*([^=!]+?)\s*(!=|==|=)(.*)", term, re.DOTALL)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        value = re.sub(r"\\([\\,=])", r"\1", match[3]).strip()
        terms.append((match[1], value, match[2] != "!="))
    return terms


def _text(value: Any, zero: str) -> str:
    if value is None:
        return zero
    return str(value).lower() if isinstance(value, bool) else str(value)
