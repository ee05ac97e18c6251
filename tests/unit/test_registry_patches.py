"""JSON, merge and strategic merge patches through the API; their rules are tested beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import samples
from api_site import Site, config_map, refused, resource, site

from cluster.objects import Object
from cluster.registry import json_patch, strategic, types
from cluster.registry.json_patch import PatchError


@pytest.fixture
def api(tmp_path: Path) -> Site:
    return site(tmp_path)


def deployment(**pod: Any) -> Object:
    return samples.workload("Deployment", "web", pod)


def merged(original: Object, patch: Object, kind: str = "Deployment") -> Any:
    return strategic.merge(original, patch, types.of(resource(kind)))


def containers(*given: Object) -> Object:
    return {"spec": {"template": {"spec": {"containers": list(given)}}}}


def names(obj: Object) -> list[str]:
    return [one["name"] for one in obj["spec"]["template"]["spec"]["containers"]]


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_are_those_of_the_rfc(target: Any, patch: Any, result: Any) -> None:
    """RFC 7386, appendix A."""
    assert json_patch.merge(target, patch) == result


@pytest.mark.parametrize(
    ("target", "operations", "result"),
    [
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"foo": "bar", "baz": "qux"}),
        ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
        ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["x"]}], {"foo": ["bar", ["x"]]}),
        ({"foo": ["a", "b"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["a"]}),
        ({"a": 1}, [{"op": "replace", "path": "/a", "value": 2}], {"a": 2}),
        ({"a": {"b": 1}, "c": {}}, [{"op": "move", "from": "/a/b", "path": "/c/d"}], {"a": {}, "c": {"d": 1}}),
        ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
        ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
        ({"a/b": 1}, [{"op": "replace", "path": "/a~1b", "value": 2}], {"a/b": 2}),
    ],
)
def test_json_patches_are_those_of_the_rfc(target: Any, operations: Any, result: Any) -> None:
    """RFC 6902, appendix A."""
    assert json_patch.apply(target, operations) == result


@pytest.mark.parametrize(
    "operations",
    [
        "text",
        ["text"],
        [{"op": "spam", "path": "/a"}],
        [{"op": "add", "path": "/x/y", "value": 1}],
        [{"op": "add", "path": "a", "value": 1}],
        [{"op": "add", "path": "/list/9", "value": 1}],
        [{"op": "add", "path": "/list/01", "value": 1}],
        [{"op": "add", "path": "/b"}],
        [{"op": "remove", "path": "/x"}],
        [{"op": "remove", "path": ""}],
        [{"op": "replace", "path": "/x", "value": 1}],
        [{"op": "test", "path": "/a", "value": True}],
        [{"op": "move", "from": "/list", "path": "/list/0"}],
        [{"op": "add", "path": "/a/b", "value": 1}],
    ],
)
def test_json_patches_that_do_not_apply(operations: Any) -> None:
    with pytest.raises(PatchError):
        json_patch.apply({"a": 1, "list": [1, 2]}, operations)


def test_a_json_patch_leaves_its_target(api: Site) -> None:
    made = api.create(config_map("a", x="1"))
    api.patch("ConfigMap", "a", "json", [{"op": "replace", "path": "/data/x", "value": "2"}])
    assert made["data"] == {"x": "1"}
    assert api.get("ConfigMap", "a")["data"] == {"x": "2"}


def test_a_failed_test_is_unprocessable(api: Site) -> None:
    api.create(config_map("a", x="1"))
    error = refused(api.patch, "ConfigMap", "a", "json", [{"op": "test", "path": "/data/x", "value": "2"}])
    assert (error.code, error.message) == (422, "the server rejected our request due to an error in our request")
    assert error.details is not None
    assert error.details["causes"][0]["message"] == "testing value /data/x failed: test failed"


def test_a_patch_with_an_old_version_is_a_conflict(api: Site) -> None:
    old = api.create(config_map("a"))["metadata"]["resourceVersion"]
    api.patch("ConfigMap", "a", "merge", {"data": {"x": "1"}})
    error = refused(api.patch, "ConfigMap", "a", "merge", {"metadata": {"resourceVersion": old}, "data": {"x": "2"}})
    assert error.code == 409


def test_lists_of_containers_are_merged_by_name() -> None:
    changed = merged(deployment(), containers({"name": "main", "image": "new"}))
    (container,) = changed["spec"]["template"]["spec"]["containers"]
    assert container == {"name": "main", "image": "new", "ports": [{"name": "http", "containerPort": 8080}]}


def test_an_item_is_added_and_deleted() -> None:
    both = merged(deployment(), containers({"name": "side", "image": "x"}))
    assert names(both) == ["main", "side"]
    assert names(merged(both, containers({"name": "main", "$patch": "delete"}))) == ["side"]


def test_a_list_is_replaced_where_the_patch_says_so() -> None:
    changed = merged(deployment(), containers({"$patch": "replace"}, {"name": "only", "image": "x"}))
    assert names(changed) == ["only"]


def test_a_map_is_replaced_or_deleted_where_the_patch_says_so() -> None:
    labelled = {"metadata": {"labels": {"a": "1", "b": "2"}}}
    assert merged(labelled, {"metadata": {"labels": {"$patch": "replace", "c": "3"}}})["metadata"] == {
        "labels": {"c": "3"}
    }
    assert merged(labelled, {"metadata": {"labels": {"$patch": "delete"}}})["metadata"] == {}


def test_only_retained_keys_stay() -> None:
    rolling = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert merged(rolling, patch) == {"spec": {"strategy": {"type": "Recreate"}}}


def test_items_of_a_primitive_list_are_added_and_deleted() -> None:
    held = {"metadata": {"finalizers": ["a", "b"]}}
    assert merged(held, {"metadata": {"finalizers": ["c", "a"]}})["metadata"]["finalizers"] == ["a", "b", "c"]
    gone = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert merged(held, gone)["metadata"]["finalizers"] == ["b"]


def test_the_order_of_elements_is_set() -> None:
    original = containers({"name": "a"}, {"name": "b"}, {"name": "server"}, {"name": "c"})
    patch = {
        "spec": {
            "template": {
                "spec": {
                    "$setElementOrder/containers": [{"name": "c"}, {"name": "new"}, {"name": "a"}],
                    "containers": [{"name": "new", "image": "x"}, {"name": "b", "$patch": "delete"}],
                }
            }
        }
    }
    assert names(merged(original, patch)) == ["server", "c", "new", "a"]


def test_an_item_without_its_key_is_refused(api: Site) -> None:
    api.create(deployment())
    error = refused(api.patch, "Deployment", "web", "strategic", containers({"image": "x"}))
    assert error.code == 400
    assert "does not contain declared merge key: name" in error.message


def test_atomic_lists_are_replaced() -> None:
    pod = {"spec": {"tolerations": [{"key": "a"}]}}
    assert merged(pod, {"spec": {"tolerations": [{"key": "b"}]}}, "Pod")["spec"]["tolerations"] == [{"key": "b"}]
