"""Sets of fields: the leaves of an object, FieldsV1 and back, merging and removing by them."""

from __future__ import annotations

from typing import Any

import samples
from api_site import resource
from hypothesis import given
from hypothesis import strategies as st

from cluster.objects import Object
from cluster.registry import field_sets, types
from cluster.registry.field_sets import fields_of, from_fields_v1, merged, shown, to_fields_v1, without

DEPLOYMENT = types.of(resource("Deployment"))
SERVICE = types.of(resource("Service"))

STEPS = st.sampled_from(("f:spec", "f:a", "f:.", 'k:{"name":"x"}', 'v:"y"'))
PATHS = st.lists(STEPS, min_size=1, max_size=4).map(tuple)


def shown_fields(obj: Object, of: types.Type = DEPLOYMENT) -> set[str]:
    return {shown(path) for path in fields_of(obj, of)}


def containers(*given: Object) -> Object:
    return {"spec": {"template": {"spec": {"containers": list(given)}}}}


@given(st.frozensets(PATHS))
def test_fields_v1_reads_back(fields: frozenset[tuple[str, ...]]) -> None:
    assert from_fields_v1(to_fields_v1(fields)) == fields


def test_items_are_named_by_their_keys() -> None:
    prefix = '.spec.template.spec.containers[name="main"]'
    port = f'{prefix}.ports[containerPort=80,protocol="TCP"]'
    found = shown_fields(containers({"name": "main", "ports": [{"containerPort": 80}]}))
    assert found == {prefix, f"{prefix}.name", port, f"{port}.containerPort"}


def test_atomic_fields_and_sets() -> None:
    assert shown_fields({"spec": {"selector": {"a": "b"}}}, SERVICE) == {".spec.selector"}
    assert shown_fields({"metadata": {"finalizers": ["x"]}}) == {'.metadata.finalizers[="x"]'}
    assert shown_fields({"spec": {"strategy": {}}}) == {".spec.strategy"}


def test_merging_keeps_the_order_of_what_is_there() -> None:
    live = containers({"name": "a", "image": "1"}, {"name": "b"}, {"name": "c"})
    result = merged(live, containers({"name": "c"}, {"name": "new"}, {"name": "a", "image": "2"}), DEPLOYMENT)
    names = [one["name"] for one in result["spec"]["template"]["spec"]["containers"]]
    assert set(names) == {"a", "b", "c", "new"}
    assert names.index("c") < names.index("new") < names.index("a")
    assert live == containers({"name": "a", "image": "1"}, {"name": "b"}, {"name": "c"})


def test_what_somebody_else_owns_keeps_its_container() -> None:
    obj = containers({"name": "a", "image": "1", "command": ["x"]})
    everything = fields_of(obj, DEPLOYMENT)
    kept = frozenset(path for path in everything if path[-1] == "f:image")
    left: Any = without(obj, DEPLOYMENT, everything - kept, kept)
    assert left["spec"]["template"]["spec"]["containers"] == [{"image": "1"}]


def test_what_was_emptied_goes() -> None:
    obj = {"metadata": {"labels": {"a": "1"}}, "spec": {"replicas": 1}}
    gone = frozenset(path for path in fields_of(obj, DEPLOYMENT) if path[-1] == "f:a")
    assert without(obj, DEPLOYMENT, gone, frozenset()) == {"spec": {"replicas": 1}}


def test_equal_objects_have_equal_leaves() -> None:
    one = field_sets.leaves(samples.workload("Deployment", "web"), DEPLOYMENT)
    assert one == field_sets.leaves(samples.workload("Deployment", "web"), DEPLOYMENT)
