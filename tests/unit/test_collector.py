"""Garbage collection by owner references, and the end of namespaces."""

from __future__ import annotations

import samples

from cluster.deletion import DeleteOptions, delete
from cluster.draft import key_of
from cluster.objects import Object, name


def config_map(its_name: str, *owners: Object, space: str = "default") -> Object:
    references = [
        {
            "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": name(owner),
            "uid": owner["metadata"]["uid"], "blockOwnerDeletion": True,
        }
        for owner in owners
    ]  # fmt: skip
    metadata: Object = {"name": its_name, "namespace": space}
    if references:
        metadata["ownerReferences"] = references
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def namespace(its_name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": its_name}}


def scratch(*objects: Object) -> samples.Scratch:
    return samples.Scratch(samples.cluster(), objects)


def put(world: samples.Scratch, obj: Object) -> Object:
    stored = world.draft.put(obj)
    world.settle()
    return stored


def maps(world: samples.Scratch) -> list[str]:
    return [name(obj) for obj in world.draft.objects("ConfigMap")]


def test_a_dependent_goes_with_its_last_owner() -> None:
    world = scratch()
    first, second = put(world, config_map("first")), put(world, config_map("second"))
    put(world, config_map("child", first, second))
    world.delete(first)
    assert [entry["name"] for entry in world.one("ConfigMap", "child")["metadata"]["ownerReferences"]] == ["second"]
    world.delete(second)
    assert maps(world) == []


def test_a_reference_to_nothing_is_not_an_owner() -> None:
    world = scratch()
    gone = put(world, config_map("gone"))
    world.delete(gone)
    put(world, config_map("child", gone))
    assert maps(world) == []


def test_an_owner_in_another_namespace_is_no_owner() -> None:
    world = scratch(namespace("shop"))
    owner = put(world, config_map("owner", space="shop"))
    put(world, config_map("child", owner))
    assert maps(world) == ["owner"]


def test_foreground_waits_for_blocking_dependents() -> None:
    world = scratch()
    owner = put(world, config_map("owner"))
    child = config_map("child", owner)
    child["metadata"]["finalizers"] = ["example.com/hold"]
    put(world, child)
    delete(world.draft, key_of(owner), DeleteOptions(propagation="Foreground"))
    world.settle()
    assert maps(world) == ["owner", "child"]
    held = world.one("ConfigMap", "child")
    assert "deletionTimestamp" in held["metadata"]
    world.draft.put({**held, "metadata": {**held["metadata"], "finalizers": []}})
    world.settle()
    assert maps(world) == []


def test_orphan_leaves_the_dependents() -> None:
    world = scratch()
    owner = put(world, config_map("owner"))
    put(world, config_map("child", owner))
    world.delete(owner, DeleteOptions(propagation="Orphan"))
    assert maps(world) == ["child"]
    assert "ownerReferences" not in world.one("ConfigMap", "child")["metadata"]


def test_a_namespace_is_active_and_furnished() -> None:
    world = scratch(namespace("shop"))
    stored = world.one("Namespace", "shop", "")
    assert (stored["status"], stored["spec"]) == ({"phase": "Active"}, {"finalizers": ["kubernetes"]})
    assert world.one("ServiceAccount", "default", "shop")


def test_the_default_service_account_comes_back() -> None:
    world = scratch()
    world.delete(world.one("ServiceAccount", "default"))
    assert world.one("ServiceAccount", "default")


def test_every_namespace_gets_the_certificate_once_it_is_published() -> None:
    world = scratch(namespace("shop"))
    published = config_map("kube-root-ca.crt", space="kube-system")
    put(world, {**published, "data": {"ca.crt": "PEM"}})
    assert world.one("ConfigMap", "kube-root-ca.crt", "shop")["data"] == {"ca.crt": "PEM"}


def test_a_namespace_takes_its_content_with_it() -> None:
    deployment = samples.workload("Deployment", "web", replicas=2)
    deployment["metadata"]["namespace"] = "shop"
    world = scratch(namespace("shop"), deployment)
    delete(world.draft, ("Namespace", "", "shop"))
    world.run()
    assert world.one("Namespace", "shop", "")["status"]["phase"] == "Terminating"
    assert {pod["metadata"]["namespace"] for pod in world.pods() if "deletionTimestamp" in pod["metadata"]} == {"shop"}
    world.settle()
    assert world.draft.get(("Namespace", "", "shop")) is None
    assert [obj for kind in world.draft.kinds() for obj in world.draft.objects(kind) if obj["metadata"].get("namespace") == "shop"] == []
