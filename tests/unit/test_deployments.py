"""Deployments: rollouts step by step, revisions, scaling, conditions."""

from __future__ import annotations

from typing import Any

import pytest
import samples

from cluster.deletion import DeleteOptions, is_deleting
from cluster.loops import put_given
from cluster.objects import Object, annotation, labels, name, ready

REVISION = "deployment.kubernetes.io/revision"


def rolling(surge: int | str, unavailable: int | str) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def deployment(version: str = "1", **spec: Any) -> Object:
    spec = {"replicas": 4, "strategy": rolling(1, 1), "progressDeadlineSeconds": 600, **spec}
    return samples.workload("Deployment", "web", pod={"hostname": f"v{version}"}, **spec)


def scratch(**spec: Any) -> samples.Scratch:
    world = samples.Scratch(samples.cluster(), [deployment(**spec)])
    world.make_ready()
    return world


def update(world: samples.Scratch, **spec: Any) -> None:
    """As kubectl apply would; a Deployment keeps its annotations."""
    given = deployment(**spec)
    given["metadata"] = {**given["metadata"], "annotations": world.one("Deployment", "web")["metadata"].get("annotations")}
    put_given(world.draft, [given], world.cluster)
    world.run()


def sizes(world: samples.Scratch) -> dict[str, int]:
    """hostname in the template -> replicas."""
    replica_sets = world.draft.objects("ReplicaSet")
    return {rs["spec"]["template"]["spec"]["hostname"]: rs["spec"]["replicas"] for rs in replica_sets if labels(rs).get("app")}


def condition(world: samples.Scratch, type: str) -> tuple[str, str]:
    entries = world.one("Deployment", "web")["status"]["conditions"]
    return next((entry["status"], entry["reason"]) for entry in entries if entry["type"] == type)


def replica_set(world: samples.Scratch, version: str) -> Object:
    sets = world.draft.objects("ReplicaSet")
    return next(rs for rs in sets if rs["spec"]["template"]["spec"].get("hostname") == f"v{version}")


def test_the_status_counts_what_there_is() -> None:
    world = scratch()
    status = world.one("Deployment", "web")["status"]
    assert {field: status[field] for field in status if field.endswith("eplicas")} == {
        "replicas": 4,
        "updatedReplicas": 4,
        "readyReplicas": 4,
        "availableReplicas": 4,
    }
    assert status["observedGeneration"] == 1
    assert condition(world, "Available") == ("True", "MinimumReplicasAvailable")
    assert condition(world, "Progressing") == ("True", "NewReplicaSetAvailable")


def test_an_update_begins_within_its_bounds() -> None:
    world = scratch()
    update(world, version="2")
    assert sizes(world) == {"v1": 3, "v2": 2}, "one more than four, one less than four available"
    assert condition(world, "Progressing")[1] == "ReplicaSetUpdated"


def test_an_update_ends_with_the_new_version_only() -> None:
    world = scratch()
    update(world, version="2")
    world.settle()
    world.make_ready()
    assert sizes(world) == {"v1": 0, "v2": 4}
    assert {pod["spec"]["hostname"] for pod in world.pods() if labels(pod).get("app")} == {"v2"}


def test_a_recreate_waits_until_the_old_pods_are_gone() -> None:
    world = scratch(strategy={"type": "Recreate"})
    update(world, version="2", strategy={"type": "Recreate"})
    assert sizes(world) == {"v1": 0}
    assert [is_deleting(pod) for pod in world.pods() if labels(pod).get("app")] == [True] * 4
    world.settle()
    assert sizes(world) == {"v1": 0, "v2": 4}


def test_a_paused_deployment_keeps_its_version_and_can_be_scaled() -> None:
    world = scratch()
    update(world, version="2", paused=True, replicas=6)
    assert sizes(world) == {"v1": 6}
    assert condition(world, "Progressing") == ("Unknown", "DeploymentPaused")
    update(world, version="2", replicas=6)
    world.settle()
    world.make_ready()
    assert sizes(world) == {"v1": 0, "v2": 6}


def test_scaling_in_the_middle_of_an_update_is_shared_out() -> None:
    world = scratch(replicas=10, strategy=rolling(3, 2))
    update(world, version="2", replicas=10, strategy=rolling(3, 2))
    assert sizes(world) == {"v1": 8, "v2": 5}
    update(world, version="2", replicas=15, strategy=rolling(3, 2))
    # The documentation's own example ("Proportional scaling"): 3 to the larger, 2 to the smaller.
    assert sizes(world) == {"v1": 11, "v2": 7}


def test_every_version_has_a_revision() -> None:
    world = scratch()
    for version in ("2", "3"):
        update(world, version=version)
        world.settle()
        world.make_ready()
    assert [annotation(replica_set(world, version), REVISION) for version in "123"] == ["1", "2", "3"]
    assert annotation(world.one("Deployment", "web"), REVISION) == "3"


def test_going_back_takes_the_old_replica_set_under_a_new_revision() -> None:
    world = scratch()
    before = replica_set(world, "1")
    for version in ("2", "1"):
        update(world, version=version)
        world.settle()
        world.make_ready()
    again = replica_set(world, "1")
    assert again["metadata"]["uid"] == before["metadata"]["uid"]
    assert annotation(again, REVISION) == "3"
    assert annotation(again, "deployment.kubernetes.io/revision-history") == "1"


def test_old_revisions_are_forgotten() -> None:
    world = scratch(revisionHistoryLimit=1)
    for version in "234":
        update(world, version=version, revisionHistoryLimit=1)
        world.settle()
        world.make_ready()
    assert sorted(sizes(world)) == ["v3", "v4"]


def test_the_change_cause_is_copied_to_the_replica_set() -> None:
    world = scratch()
    stored = world.one("Deployment", "web")
    cause = {"kubernetes.io/change-cause": "because"}
    annotations = {**stored["metadata"]["annotations"], **cause}
    world.draft.put({**stored, "metadata": {**stored["metadata"], "annotations": annotations}})
    world.settle()
    assert annotation(replica_set(world, "1"), "kubernetes.io/change-cause") == "because"


def test_an_update_that_does_not_progress_says_so() -> None:
    world = scratch()
    update(world, version="2")
    world.settle()
    assert condition(world, "Progressing") == ("True", "ReplicaSetUpdated")
    world.wait(601)
    assert condition(world, "Progressing") == ("False", "ProgressDeadlineExceeded")


def test_a_pod_counts_as_available_after_min_ready_seconds() -> None:
    world = samples.Scratch(samples.cluster(), [deployment(replicas=2, minReadySeconds=30)])
    world.make_ready()
    assert "availableReplicas" not in world.one("Deployment", "web")["status"]
    world.wait(31)
    assert world.one("Deployment", "web")["status"]["availableReplicas"] == 2


def test_what_is_done_is_told_in_events() -> None:
    world = scratch()
    update(world, version="2")
    new, old = name(replica_set(world, "2")), name(replica_set(world, "1"))
    assert world.events("ScalingReplicaSet")[-3:] == [
        f"Scaled up replica set {new} from 0 to 1",
        f"Scaled down replica set {old} from 4 to 3",
        f"Scaled up replica set {new} from 1 to 2",
    ]


def test_an_orphaned_replica_set_is_adopted() -> None:
    world = scratch()
    world.delete(world.one("Deployment", "web"), DeleteOptions(propagation="Orphan"))
    (orphan,) = [rs for rs in world.draft.objects("ReplicaSet") if labels(rs).get("app")]
    assert "ownerReferences" not in orphan["metadata"]
    put_given(world.draft, [deployment()], world.cluster)
    world.settle()
    (adopted,) = [rs for rs in world.draft.objects("ReplicaSet") if labels(rs).get("app")]
    assert adopted["metadata"]["uid"] == orphan["metadata"]["uid"]
    assert adopted["metadata"]["ownerReferences"][0]["kind"] == "Deployment"


@pytest.mark.parametrize(("surge", "unavailable"), [("25%", "25%"), (1, 0), (0, 1), ("100%", 0), (0, "100%"), ("0%", "0%")])
def test_every_update_comes_to_an_end(surge: int | str, unavailable: int | str) -> None:
    world = scratch(strategy=rolling(surge, unavailable))
    update(world, version="2", strategy=rolling(surge, unavailable))
    world.settle()
    world.make_ready()
    assert sizes(world) == {"v1": 0, "v2": 4}
    assert sum(ready(pod) for pod in world.pods() if labels(pod).get("app")) == 4
