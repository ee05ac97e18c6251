"""StatefulSets: order, updates, revisions."""

from __future__ import annotations

from typing import Any

import samples

from cluster.deletion import delete
from cluster.draft import key_of
from cluster.loops import put_given
from cluster.objects import Object, labels, name


def stateful_set(version: str = "1", **spec: Any) -> Object:
    defaults = {
        "replicas": 3,
        "serviceName": "db",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        **spec,
    }
    return samples.workload("StatefulSet", "db", pod={"schedulerName": "default-scheduler", "priority": int(version)}, **defaults)


def scratch(**spec: Any) -> samples.Scratch:
    return samples.Scratch(samples.cluster(), [stateful_set(**spec)])


def update(world: samples.Scratch, **spec: Any) -> None:
    put_given(world.draft, [stateful_set(**spec)], world.cluster)
    world.settle()


def versions(world: samples.Scratch) -> dict[str, int]:
    return {name(pod): pod["spec"]["priority"] for pod in world.pods()}


def names(world: samples.Scratch) -> list[str]:
    return sorted(world.pod_names())


def test_each_pod_waits_for_the_one_before_it() -> None:
    world = scratch()
    assert names(world) == ["db-0"]
    world.make_ready(*world.pods())
    assert names(world) == ["db-0", "db-1"]
    world.make_ready()
    assert names(world) == ["db-0", "db-1", "db-2"]


def test_parallel_pods_come_at_once() -> None:
    assert names(scratch(podManagementPolicy="Parallel")) == ["db-0", "db-1", "db-2"]


def test_pods_bear_their_names_as_labels_and_host_names() -> None:
    (pod,) = scratch().pods()
    assert labels(pod)["statefulset.kubernetes.io/pod-name"] == "db-0"
    assert labels(pod)["apps.kubernetes.io/pod-index"] == "0"
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-0", "db")


def test_ordinals_begin_where_they_are_told() -> None:
    world = scratch(ordinals={"start": 5}, podManagementPolicy="Parallel")
    assert names(world) == ["db-5", "db-6", "db-7"]


def test_scaling_down_takes_the_highest_and_waits_for_each() -> None:
    world = scratch()
    world.make_ready()
    put_given(world.draft, [stateful_set(replicas=1)], world.cluster)
    world.run()
    going = [name(pod) for pod in world.pods() if "deletionTimestamp" in pod["metadata"]]
    assert going == ["db-2"]
    world.settle()
    assert names(world) == ["db-0"]


def test_an_update_goes_from_the_highest_down_one_ready_pod_at_a_time() -> None:
    world = scratch()
    world.make_ready()
    update(world, version="2")
    assert versions(world) == {"db-0": 1, "db-1": 1, "db-2": 2}
    world.make_ready(*world.pods())
    assert versions(world) == {"db-0": 1, "db-1": 2, "db-2": 2}
    world.make_ready()
    assert versions(world) == {"db-0": 2, "db-1": 2, "db-2": 2}
    status = world.one("StatefulSet", "db")["status"]
    assert status["currentRevision"] == status["updateRevision"]


def test_a_partition_holds_the_lower_ones_back() -> None:
    world = scratch()
    world.make_ready()
    held = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    update(world, version="2", updateStrategy=held)
    world.make_ready()
    assert versions(world) == {"db-0": 1, "db-1": 1, "db-2": 2}
    world.delete(world.one("Pod", "db-0"))
    assert versions(world)["db-0"] == 1, "below the partition, a pod comes back as it was"


def test_on_delete_waits_for_the_user() -> None:
    world = scratch()
    world.make_ready()
    update(world, version="2", updateStrategy={"type": "OnDelete"})
    assert set(versions(world).values()) == {1}
    world.delete(world.one("Pod", "db-1"))
    assert versions(world) == {"db-0": 1, "db-1": 2, "db-2": 1}


def test_a_pod_keeps_its_name_and_gets_a_new_address() -> None:
    world = scratch()
    world.make_ready()
    before = world.one("Pod", "db-1")
    delete(world.draft, key_of(before))
    world.run()
    assert names(world) == ["db-0", "db-1", "db-2"], "it is not replaced before it is gone"
    world.settle()
    after = world.one("Pod", "db-1")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["status"]["podIP"] != before["status"]["podIP"]


def test_a_failed_pod_is_made_again() -> None:
    world = scratch(replicas=1)
    (pod,) = world.pods()
    world.report(pod, {"phase": "Failed"})
    (again,) = world.pods()
    assert again["metadata"]["uid"] != pod["metadata"]["uid"]


def test_each_template_is_a_controller_revision() -> None:
    world = scratch()
    world.make_ready()
    update(world, version="2")
    world.make_ready()
    update(world, version="1")
    revisions = {one["revision"]: one for one in world.draft.objects("ControllerRevision")}
    assert sorted(revisions) == [2, 3], "going back gives the old template the highest number"
    assert revisions[3]["data"]["spec"]["template"]["spec"]["priority"] == 1
    assert revisions[3]["data"]["spec"]["template"]["$patch"] == "replace"


def test_volume_claims_are_made_and_stay() -> None:
    template = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    world = scratch(replicas=1, volumeClaimTemplates=[template])
    (pod,) = world.pods()
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}} in pod["spec"]["volumes"]
    update(world, replicas=0, volumeClaimTemplates=[template])
    assert [name(claim) for claim in world.draft.objects("PersistentVolumeClaim")] == ["data-db-0"]


def test_the_status_counts_by_revision() -> None:
    world = scratch()
    world.make_ready()
    update(world, version="2")
    status = world.one("StatefulSet", "db")["status"]
    assert (status["replicas"], status["currentReplicas"], status["updatedReplicas"]) == (3, 2, 1)
