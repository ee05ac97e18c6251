"""One manifest, checked: nulls dropped, namespace filled in, schema and rules applied. For specs and the API."""

from __future__ import annotations

from dataclasses import dataclass

from cluster import kinds, rules
from cluster.problems import Problem
from cluster.reading import schema
from cluster.reading.documents import Document
from cluster.reading.findings import Finding

DEFAULT_NAMESPACE = "default"
_IDENTITY = (("apiVersion",), ("kind",))


@dataclass(frozen=True, slots=True)
class Checked:
    """A document whose data is fit for use when there are no problems.

    With problems, `document.data` still holds what was right, for checks that look at several objects.
    """

    document: Document
    problems: tuple[Problem, ...]


def check(document: Document) -> Checked:
    """All that is wrong with one object by itself."""
    wrong: list[Finding] = []
    data = schema.without_nulls(document.data, wrong)
    wrong = schema.findings(data) + wrong
    right = schema.without(data, [finding.path for finding in wrong]) if wrong else data
    if any(finding.path in _IDENTITY for finding in wrong):
        right = {}  # of no known kind: no schema has vouched for any field
    for version in (data, right):
        _fill_namespace(version)
    findings = dict.fromkeys([*wrong, *rules.findings(right)])
    whole = document.with_data(data)  # its kind and name stand in the messages, even where they are wrong
    return Checked(document.with_data(right), tuple(whole.problem(finding) for finding in findings))


def _fill_namespace(data: dict[str, object]) -> None:
    metadata, kind = data.get("metadata"), data.get("kind")
    if isinstance(metadata, dict) and str(kind) in kinds.api_versions() and kinds.namespaced(str(kind)):
        metadata.setdefault("namespace", DEFAULT_NAMESPACE)
