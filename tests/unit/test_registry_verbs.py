"""create, get, update, delete: identity, versions, what a request may not change, dry runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import samples
from api_site import STRICT, Site, config_map, refused, resource, site

from cluster import resources
from cluster.registry.requests import DeleteOptions, Query, WriteOptions


@pytest.fixture
def api(tmp_path: Path) -> Site:
    return site(tmp_path)


def test_the_server_gives_a_new_object_its_identity(api: Site) -> None:
    made = api.create(samples.workload("Deployment", "web"))
    metadata = made["metadata"]
    assert metadata["generation"] == 1
    assert int(metadata["resourceVersion"]) == api.registry.revision
    assert metadata["uid"] and metadata["creationTimestamp"]
    assert api.get("Deployment", "web") == made


def test_a_name_is_made_from_generate_name(api: Site) -> None:
    given = config_map("x")
    del given["metadata"]["name"]
    given["metadata"]["generateName"] = "settings-"
    first, second = api.create(given), api.create(given)
    names = {first["metadata"]["name"], second["metadata"]["name"]}
    assert len(names) == 2
    assert all(name.startswith("settings-") and len(name) == len("settings-") + 5 for name in names)


def test_an_object_without_name_is_invalid(api: Site) -> None:
    error = refused(api.create, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}})
    assert error.message == 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'


def test_a_name_is_given_once(api: Site) -> None:
    api.create(config_map("a"))
    error = refused(api.create, config_map("a"))
    assert (error.code, error.reason, error.message) == (409, "AlreadyExists", 'configmaps "a" already exists')


def test_a_namespace_must_be_there(api: Site) -> None:
    error = refused(api.create, config_map("a"), namespace="nowhere")
    assert (error.code, error.message) == (404, 'namespaces "nowhere" not found')


def test_nothing_is_created_in_a_namespace_that_goes(api: Site) -> None:
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "old"}})
    api.delete("Namespace", "old")
    error = refused(api.create, config_map("a"), namespace="old")
    assert (error.code, error.reason) == (403, "Forbidden")
    assert error.message == (
        'configmaps "a" is forbidden: unable to create new content in namespace old because it is being terminated'
    )
    assert error.details is not None and error.details["causes"][0]["reason"] == "NamespaceTerminating"


def test_a_resource_version_may_not_be_given_at_creation(api: Site) -> None:
    given = config_map("a")
    given["metadata"]["resourceVersion"] = "7"
    assert refused(api.create, given).message == "resourceVersion should not be set on objects to be created"


def test_path_and_object_must_agree(api: Site) -> None:
    api.create(config_map("a"))
    kind = resource("ConfigMap")
    error = refused(api.registry.update, kind, "default", "a", config_map("b"), STRICT)
    assert error.message == "the name of the object (b) does not match the name on the URL (a)"
    elsewhere = config_map("a")
    elsewhere["metadata"]["namespace"] = "kube-system"
    assert refused(api.create, elsewhere).code == 400


def test_an_update_of_an_old_version_is_a_conflict(api: Site) -> None:
    old = api.create(config_map("a", x="1"))
    api.update({**old, "data": {"x": "2"}})
    error = refused(api.update, {**old, "data": {"x": "3"}})
    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert api.get("ConfigMap", "a")["data"] == {"x": "2"}


def test_an_update_without_version_is_unconditional(api: Site) -> None:
    api.create(config_map("a", x="1"))
    assert api.update(config_map("a", x="2"))["data"] == {"x": "2"}


def test_an_update_that_changes_nothing_writes_nothing(api: Site) -> None:
    made = api.create(samples.workload("Deployment", "web"))
    before = api.registry.revision
    assert api.update(made) == made
    assert api.registry.revision == before


def test_only_a_change_of_the_spec_counts_as_generation(api: Site) -> None:
    made = api.create(samples.workload("Deployment", "web"))
    labelled = api.update({**made, "metadata": {**made["metadata"], "labels": {"x": "y"}}})
    assert labelled["metadata"]["generation"] == 1
    scaled = api.update({**labelled, "spec": {**labelled["spec"], "replicas": 3}})
    assert scaled["metadata"]["generation"] == 2
    assert api.update({**scaled, "status": {"replicas": 3}}, subresource="status")["metadata"]["generation"] == 2


def test_status_is_written_through_its_subresource_only(api: Site) -> None:
    made = api.create({**samples.workload("Deployment", "web"), "status": {"replicas": 9}})
    assert "status" not in made
    assert "status" not in api.update({**made, "status": {"replicas": 9}})
    changed = {**made, "spec": {**made["spec"], "replicas": 5}, "status": {"replicas": 9}}
    both = api.update(changed, subresource="status")
    assert both["status"] == {"replicas": 9}
    assert both["spec"]["replicas"] == 1


def test_a_dry_run_answers_as_if_and_writes_nothing(api: Site) -> None:
    before = api.registry.revision
    dry = replace(STRICT, dry_run=True)
    made = api.create(samples.service("web"), dry)
    assert made["spec"]["clusterIP"].startswith("10.96.")
    assert api.registry.revision == before
    assert refused(api.get, "Service", "web").code == 404
    api.create(config_map("a"))
    api.delete("ConfigMap", "a", DeleteOptions(dry_run=True))
    assert api.get("ConfigMap", "a")


def test_deleting_answers_with_success(api: Site) -> None:
    made = api.create(config_map("a"))
    assert api.delete("ConfigMap", "a") == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]},
    }
    assert refused(api.delete, "ConfigMap", "a").message == 'configmaps "a" not found'


def test_preconditions_guard_a_deletion(api: Site) -> None:
    made = api.create(config_map("a"))
    wrong = refused(api.delete, "ConfigMap", "a", DeleteOptions(uid="another"))
    assert wrong.message == (
        'Operation cannot be fulfilled on configmaps "a": Precondition failed: UID in precondition: another, '
        f"UID in object meta: {made['metadata']['uid']}"
    )
    assert refused(api.delete, "ConfigMap", "a", DeleteOptions(resource_version="1")).code == 409
    api.delete("ConfigMap", "a", DeleteOptions(uid=made["metadata"]["uid"]))


def test_an_object_with_finalizers_goes_when_they_are_gone(api: Site) -> None:
    held = config_map("a")
    held["metadata"]["finalizers"] = ["example.org/hold"]
    api.create(held)
    going = api.delete("ConfigMap", "a")
    assert going["metadata"]["deletionTimestamp"]
    api.patch("ConfigMap", "a", "merge", {"metadata": {"finalizers": None}})
    assert refused(api.get, "ConfigMap", "a").code == 404


def test_a_collection_is_deleted_by_its_selector(api: Site) -> None:
    for name in "abc":
        labelled = config_map(name)
        labelled["metadata"]["labels"] = {"keep": "yes" if name == "b" else "no"}
        api.create(labelled)
    gone = api.registry.delete_collection(
        resource("ConfigMap"), "default", Query(label_selector="keep=no"), DeleteOptions()
    )
    assert [obj["metadata"]["name"] for obj in gone.items] == ["a", "c"]
    assert "b" in api.names("ConfigMap")


def test_unknown_fields_are_refused_warned_of_or_dropped(api: Site) -> None:
    wrong = samples.workload("Deployment", "web", replica=3)
    error = refused(api.create, wrong)
    assert error.message == (
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
        'unknown field "spec.replica"'
    )
    kind = resource("Deployment")
    warned = api.registry.create(kind, "default", wrong, WriteOptions(field_validation="Warn", dry_run=True))
    assert list(warned.warnings) == ['unknown field "spec.replica"']
    ignored = api.registry.create(kind, "default", wrong, WriteOptions(field_validation="Ignore"))
    assert not ignored.warnings
    assert "replica" not in ignored.obj["spec"]


def test_an_event_reads_in_both_of_its_versions(api: Site) -> None:
    api.create({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "message": "hello", "count": 3,
        "involvedObject": {"kind": "Pod", "name": "a", "namespace": "default"},
    })  # fmt: skip
    newer = resources.find("events.k8s.io", "v1", "events")
    assert newer is not None
    shown = api.registry.get(newer, "default", "e")
    assert (shown["apiVersion"], shown["note"], shown["deprecatedCount"]) == ("events.k8s.io/v1", "hello", 3)
    assert shown["regarding"]["name"] == "a"
