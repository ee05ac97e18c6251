"""One manifest, checked: nulls dropped, namespace filled in, schema and rules applied. Used for specs and for the API."""

from __future__ import annotations

from dataclasses import dataclass

from cluster import kinds, rules, schema
from cluster.documents import Document
from cluster.findings import Finding
from cluster.problems import Problem

DEFAULT_NAMESPACE = "default"


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
    _fill_namespace(right)
    document = document.with_data(right)
    findings = [*wrong, *rules.findings(right)]
    return Checked(document, tuple(document.problem(finding) for finding in dict.fromkeys(findings)))


def _fill_namespace(data: dict[str, object]) -> None:
    metadata = data.get("metadata")
    if isinstance(metadata, dict) and "kind" in data and kinds.namespaced(str(data["kind"])):
        metadata.setdefault("namespace", DEFAULT_NAMESPACE)
