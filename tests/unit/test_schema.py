"""Objects against the Kubernetes schemas: a sentence for each mistake."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cluster import kinds
from cluster.reading import schema
from cluster.reading.findings import Finding

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "web", "image": "nginx", "ports": [{"containerPort": 80}]}]},
}


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    pod = copy.deepcopy(POD)
    place: Any = pod
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return pod


def test_a_right_object_has_no_findings() -> None:
    assert schema.findings(POD) == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("spec", "contaners"), [], "unknown field 'contaners'; did you mean 'containers'?"),
        (("spec", "hostNetwork"), "true", "found 'true' (string); must be a boolean"),
        (("metadata", "labels"), ["a"], "found a list; must be a map"),
        (("metadata", "labels"), {"a": 1}, 'found 1 (integer); must be a string: write "1"'),
        (("spec", "containers", 0, "ports", 0, "containerPort"), 80.5, "found 80.5 (number); must be an integer"),
    ],
)
def test_one_sentence_per_mistake(path: tuple[str | int, ...], value: Any, message: str) -> None:
    assert [finding.message for finding in schema.findings(changed(path, value))] == [message]


def test_all_mistakes_are_told() -> None:
    pod = changed(("spec", "containers", 0), {"image": 5, "imge": "x"})
    assert {finding.path[-1] for finding in schema.findings(pod)} == {"name", "image", "imge"}


def test_null_is_a_field_that_is_not_there_except_where_something_would_be_lost() -> None:
    wrong: list[Finding] = []
    pod = {"spec": {"nodeName": None, "containers": [None]}, "metadata": {"labels": {"a": None}}}
    assert schema.without_nulls(pod, wrong) == {"spec": {"containers": []}, "metadata": {"labels": {}}}
    assert [finding.path for finding in wrong] == [("spec", "containers", 0), ("metadata", "labels", "a")]


def test_without_takes_a_wrong_item_with_its_list() -> None:
    data = {"a": {"b": [1, 2], "c": 3}}
    assert schema.without(data, [("a", "b", 1), ("x", "y"), ("a", "b", 7, "z")]) == {"a": {"c": 3}}
    assert data == {"a": {"b": [1, 2], "c": 3}}


def test_kinds_that_a_manifest_can_create() -> None:
    assert kinds.api_versions()["Deployment"] == ("apps/v1",)
    assert not {"PodList", "Status", "DeleteOptions"} & kinds.api_versions().keys()
    assert not kinds.CLUSTER_SCOPED - kinds.api_versions().keys()
    assert kinds.namespaced("Pod") and not kinds.namespaced("Namespace")


@pytest.mark.parametrize("kind", sorted(kinds.definition_names()))
def test_every_kind_has_a_schema_that_can_be_asked(kind: tuple[str, str]) -> None:
    api_version, name = kind
    found = schema.findings({"apiVersion": api_version, "kind": name, "metadata": {"name": "a"}, "nonsense": 1})
    assert any("unknown field 'nonsense'" in finding.message for finding in found)
