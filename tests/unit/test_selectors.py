"""Label selectors."""

from __future__ import annotations

import pytest

from cluster.objects import Object
from cluster.selectors import matches, satisfies

LABELS = {"app": "web", "tier": "1"}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "x": "y"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]}, True),
        ({"matchExpressions": [{"key": "x", "operator": "NotIn", "values": ["y"]}]}, True),
        ({"matchExpressions": [{"key": "x", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}, True),
        ({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]}, False),
    ],
)
def test_a_label_selector(selector: Object | None, expected: bool) -> None:
    assert matches(selector, LABELS) is expected


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [("Gt", "0", True), ("Gt", "1", False), ("Lt", "2", True), ("Lt", "x", False)],
)
def test_numbers_compare(operator: str, value: str, expected: bool) -> None:
    assert satisfies({"key": "tier", "operator": operator, "values": [value]}, LABELS) is expected


def test_an_unknown_operator_raises() -> None:
    with pytest.raises(ValueError, match="'Like'"):
        satisfies({"key": "app", "operator": "Like", "values": ["w"]}, LABELS)
