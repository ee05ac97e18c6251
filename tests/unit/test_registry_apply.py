"""Server-side apply and metadata.managedFields."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import samples
from api_site import STRICT, Site, config_map, refused, site

from cluster.objects import Object
from cluster.registry.requests import WriteOptions


@pytest.fixture
def api(tmp_path: Path) -> Site:
    return site(tmp_path)


def deployment(**spec: Any) -> Object:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def managers(obj: Object) -> dict[tuple[str, str], Any]:
    """(manager, operation) -> its fields."""
    entries = obj["metadata"].get("managedFields", ())
    return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in entries}


def by(manager: str, *, force: bool = False) -> WriteOptions:
    return WriteOptions(field_manager=manager, field_validation="Strict", force=force)


def test_applying_creates_and_owns_what_was_given(api: Site) -> None:
    done = api.apply(config_map("a", x="1"), "one")
    assert done.created
    assert managers(done.obj) == {("one", "Apply"): {"f:data": {"f:x": {}}}}


def test_defaults_belong_to_nobody(api: Site) -> None:
    given = samples.workload("Deployment", "web")
    fields = managers(api.apply(given, "one").obj)["one", "Apply"]
    assert fields["f:spec"].keys() == {"f:selector", "f:template"}
    container = fields["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"main"}']
    assert container == {
        ".": {},
        "f:image": {},
        "f:name": {},
        "f:ports": {'k:{"containerPort":8080,"protocol":"TCP"}': {".": {}, "f:containerPort": {}, "f:name": {}}},
    }


def test_applying_again_changes_nothing(api: Site) -> None:
    first = api.apply(config_map("a", x="1"), "one").obj
    again = api.apply(config_map("a", x="1"), "one")
    assert (again.created, again.obj) == (False, first)


def test_what_is_no_longer_applied_goes(api: Site) -> None:
    api.apply(config_map("a", x="1", y="2"), "one")
    assert api.apply(config_map("a", y="2"), "one").obj["data"] == {"y": "2"}


def test_what_another_applies_too_stays(api: Site) -> None:
    api.apply(config_map("a", x="1", y="2"), "one")
    api.apply(config_map("a", x="1"), "two")
    assert api.apply(config_map("a", y="2"), "one").obj["data"] == {"x": "1", "y": "2"}


def test_a_conflict_is_told_as_kubernetes_tells_it(api: Site) -> None:
    api.apply(samples.workload("Deployment", "web", replicas=1), "one")
    error = refused(api.apply, deployment(replicas=2), "two")
    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message == 'Apply failed with 1 conflict: conflict with "one": .spec.replicas'
    assert error.details == {
        "causes": [{"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".spec.replicas"}]
    }


def test_a_conflict_with_an_updater_names_version_and_time(api: Site) -> None:
    made = api.create(samples.workload("Deployment", "web", replicas=1), by("kubectl-create"))
    error = refused(api.apply, deployment(replicas=2), "two")
    assert error.message == (
        'Apply failed with 1 conflict: conflict with "kubectl-create" using apps/v1 at '
        f"{made['metadata']['creationTimestamp']}: .spec.replicas"
    )


def test_several_conflicts_are_listed_by_manager(api: Site) -> None:
    api.apply(config_map("a", x="1"), "one")
    api.apply(config_map("a", y="1"), "two")
    error = refused(api.apply, config_map("a", x="2", y="2"), "three")
    assert error.message == (
        'Apply failed with 2 conflicts: conflicts with "one":\n- .data.x\nconflicts with "two":\n- .data.y'
    )


def test_force_takes_the_field(api: Site) -> None:
    api.apply(config_map("a", x="1", y="1"), "one")
    taken = api.apply(config_map("a", x="2"), "two", force=True).obj
    assert taken["data"] == {"x": "2", "y": "1"}
    assert managers(taken) == {
        ("one", "Apply"): {"f:data": {"f:y": {}}},
        ("two", "Apply"): {"f:data": {"f:x": {}}},
    }


def test_equal_values_are_shared(api: Site) -> None:
    api.apply(config_map("a", x="1"), "one")
    assert managers(api.apply(config_map("a", x="1"), "two").obj).keys() == {("one", "Apply"), ("two", "Apply")}


def test_an_update_takes_what_it_changes(api: Site) -> None:
    made = api.apply(config_map("a", x="1", y="1"), "one").obj
    updated = api.update({**made, "data": {"x": "2", "z": "3"}}, by("two"))
    assert managers(updated) == {("two", "Update"): {"f:data": {"f:x": {}, "f:z": {}}}}


def test_updates_of_one_manager_are_one_entry(api: Site) -> None:
    api.create(config_map("a", x="1"), by("one"))
    api.patch("ConfigMap", "a", "merge", {"data": {"y": "1"}}, by("one"))
    patched = api.patch("ConfigMap", "a", "merge", {"data": {"x": None}}, by("one")).obj
    assert managers(patched) == {("one", "Update"): {"f:data": {"f:y": {}}}}


def test_items_of_a_list_are_owned_one_by_one(api: Site) -> None:
    api.apply(samples.workload("Deployment", "web"), "one")
    side = {"name": "side", "image": "x"}
    both = api.apply(deployment(template={"spec": {"containers": [side]}}), "two").obj
    assert [one["name"] for one in both["spec"]["template"]["spec"]["containers"]] == ["main", "side"]
    left = api.apply(deployment(), "two").obj
    assert [one["name"] for one in left["spec"]["template"]["spec"]["containers"]] == ["main"]


def test_the_status_is_owned_by_who_writes_it(api: Site) -> None:
    made = api.create(samples.workload("Deployment", "web"), by("user"))
    reported = api.update({**made, "status": {"replicas": 1}}, by("controller"), subresource="status")
    assert managers(reported)["controller", "Update"] == {"f:status": {"f:replicas": {}}}
    (entry,) = (one for one in reported["metadata"]["managedFields"] if one["manager"] == "controller")
    assert entry["subresource"] == "status"


def test_who_made_an_object_without_managers_is_before_first_apply(api: Site) -> None:
    made = api.create(config_map("a", x="1"))
    api.update({**made, "metadata": {**made["metadata"], "managedFields": [{}]}})
    assert "managedFields" not in api.get("ConfigMap", "a")["metadata"]
    error = refused(api.apply, config_map("a", x="2"), "one")
    assert 'conflict with "before-first-apply" using v1' in error.message


def test_kubectl_takes_over_what_it_applied_from_the_client(api: Site) -> None:
    given = config_map("a", x="1")
    annotation = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(given)}
    api.create({**given, "metadata": {"name": "a", "annotations": annotation}}, by("kubectl-client-side-apply"))
    done = api.apply(config_map("a", x="2"), "kubectl").obj
    assert done["data"] == {"x": "2"}
    applied = json.loads(done["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"])
    assert applied["data"] == {"x": "2"}
    assert refused(api.apply, config_map("a", x="3"), "other").code == 409


def test_managed_fields_may_not_be_applied(api: Site) -> None:
    given = config_map("a")
    given["metadata"]["managedFields"] = [{"manager": "x"}]
    assert refused(api.apply, given, "one").message == "metadata.managedFields must be nil"


def test_an_applier_has_a_name(api: Site) -> None:
    assert refused(api.apply, config_map("a"), "").message == (
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
    )


def test_more_than_ten_updaters_become_ancient(api: Site) -> None:
    api.create(config_map("a"))
    for number in range(12):
        api.patch("ConfigMap", "a", "merge", {"data": {f"k{number}": "x"}}, by(f"m{number}"))
    owners = managers(api.get("ConfigMap", "a"))
    assert len(owners) == 10
    assert ("ancient-changes", "Update") in owners
    assert STRICT.field_manager not in {manager for manager, _ in owners}


def test_atomic_fields_are_one(api: Site) -> None:
    service = {**samples.service("web"), "metadata": {"name": "web"}}
    api.apply(service, "one")
    error = refused(api.apply, {**service, "spec": {"selector": {"other": "x"}}}, "two")
    assert error.message == 'Apply failed with 1 conflict: conflict with "one": .spec.selector'


def test_what_admission_adds_belongs_to_nobody(api: Site) -> None:
    made = api.create(samples.pod("a"), by("kubectl-run"))
    assert made["spec"]["tolerations"] and made["spec"]["volumes"]
    fields = managers(made)["kubectl-run", "Update"]["f:spec"]
    assert "f:restartPolicy" in fields
    assert not fields.keys() & {"f:tolerations", "f:volumes", "f:priority", "f:serviceAccountName"}
    service = api.create(samples.service("web"), by("kubectl-expose"))
    assert "f:clusterIP" not in managers(service)["kubectl-expose", "Update"]["f:spec"]
