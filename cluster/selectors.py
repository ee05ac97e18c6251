"""Label selectors, as the Kubernetes API defines them (apimachinery, meta/v1, LabelSelector)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def matches_labels(wanted: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """An equality selector (Service, ReplicationController, nodeSelector): every pair must be there."""
    return all(labels.get(key) == value for key, value in wanted.items())


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """A LabelSelector. "A null label selector matches no objects"; an empty one matches all."""
    if selector is None:
        return False
    return matches_labels(selector.get("matchLabels") or {}, labels) and all(
        satisfies(requirement, labels) for requirement in selector.get("matchExpressions") or ()
    )


def satisfies(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """One `matchExpressions` entry; also a NodeSelectorRequirement, which adds Gt and Lt.

    Raises ValueError on an operator that the API does not know (validation refuses it earlier).
    """
    key, operator, values = requirement["key"], requirement["operator"], requirement.get("values") or []
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator in ("Gt", "Lt"):
        return _compares(labels.get(key), operator, values[0])
    raise ValueError(f"unknown operator {operator!r}")


def _compares(value: str | None, operator: str, bound: str) -> bool:
    try:
        number, limit = int(value or ""), int(bound)
    except ValueError:
        return False  # "If the operator is Gt or Lt, the values array must … be interpreted as an integer"
    return number > limit if operator == "Gt" else number < limit
