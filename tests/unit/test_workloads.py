"""Workloads -> pods: numbers, names, labels, owners; and what is deleted first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
import samples

from cluster.draft import key_of
from cluster.loops import put_given
from cluster.names import ALPHABET
from cluster.objects import Object, labels, name

WORD = f"[{ALPHABET}]"


def scratch(*objects: Object, workers: int = 2) -> samples.Scratch:
    return samples.Scratch(samples.cluster(workers), objects)


def update(world: samples.Scratch, *objects: Object) -> None:
    put_given(world.draft, objects, world.cluster)
    world.settle()


def report(world: samples.Scratch, pod: Object, status: Object) -> None:
    world.draft.merge_status(key_of(pod), pod["metadata"]["uid"], status)
    world.settle()


def report_ready(world: samples.Scratch, pods: Sequence[Object]) -> None:
    for pod in pods:
        report(world, pod, samples.running(pod)["status"])


def test_a_deployment_becomes_a_replica_set_and_pods() -> None:
    world = scratch(samples.workload("Deployment", "web", replicas=3))
    (replica_set,) = world.draft.objects("ReplicaSet")
    version = labels(replica_set)["pod-template-hash"]
    assert name(replica_set) == f"web-{version}"
    assert re.fullmatch(f"{WORD}{{1,10}}", version)
    assert len(world.pods()) == 3
    for pod in world.pods():
        assert re.fullmatch(f"web-{version}-{WORD}{{5}}", name(pod))
        assert labels(pod) == {"app": "web", "pod-template-hash": version}
        (owner,) = pod["metadata"]["ownerReferences"]
        assert owner == {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": name(replica_set),
            "uid": replica_set["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    assert replica_set["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": version}


def test_replicas_default_to_one() -> None:
    assert len(scratch(samples.workload("Deployment", "web")).pods()) == 1


def test_pods_get_the_defaults_of_kubernetes() -> None:
    (pod,) = scratch(samples.workload("Deployment", "web")).pods()
    spec = pod["spec"]
    assert (spec["restartPolicy"], spec["dnsPolicy"], spec["terminationGracePeriodSeconds"]) == (
        "Always",
        "ClusterFirst",
        30,
    )
    assert spec["containers"][0]["ports"][0]["protocol"] == "TCP"


def test_the_same_spec_gives_the_same_names() -> None:
    spec = [samples.workload("Deployment", "web", replicas=5), samples.workload("Job", "once", parallelism=2)]
    assert scratch(*spec).pod_names() == scratch(*spec).pod_names()


def test_settling_again_changes_nothing() -> None:
    kinds = ("Deployment", "StatefulSet", "DaemonSet", "Job")
    world = scratch(*(samples.workload(kind, kind.lower()) for kind in kinds))
    world.draft.desired_changed = False
    world.settle()
    assert not world.draft.desired_changed


def test_a_deleted_pod_is_replaced_under_a_new_name_and_address() -> None:
    world = scratch(samples.workload("Deployment", "web", replicas=2), workers=1)
    last = world.pods()[-1]
    world.draft.delete(key_of(last))
    world.settle()
    assert len(world.pods()) == 2
    assert name(last) not in world.pod_names()
    assert last["status"]["podIP"] not in [pod["status"]["podIP"] for pod in world.pods()]


def test_scaling_down_removes_what_is_not_ready_and_then_the_youngest() -> None:
    world = scratch(samples.workload("Deployment", "web", replicas=4))
    first, second, third, fourth = world.pods()
    report_ready(world, [second, third, fourth])
    update(world, samples.workload("Deployment", "web", replicas=2))
    assert world.pod_names() == [name(second), name(third)], f"not ready: {name(first)}, youngest: {name(fourth)}"


def test_a_new_template_replaces_all_pods() -> None:
    world = scratch(samples.workload("Deployment", "web", replicas=2))
    before = world.pod_names()
    update(world, samples.workload("Deployment", "web", pod={"hostname": "x"}, replicas=2))
    world.make_ready()
    assert len(world.pods()) == 2
    assert not set(before) & set(world.pod_names())
    assert sorted(rs["spec"]["replicas"] for rs in world.draft.objects("ReplicaSet")) == [0, 2]


def test_a_deleted_deployment_takes_everything_with_it() -> None:
    deployment = samples.workload("Deployment", "web", replicas=2)
    world = scratch(deployment)
    world.draft.delete(key_of(deployment))
    world.settle()
    assert (world.draft.objects("ReplicaSet"), world.pods()) == ([], [])


def test_a_replication_controller_selects_by_its_template() -> None:
    controller = samples.workload("ReplicationController", "web", replicas=2)
    controller["apiVersion"] = "v1"
    del controller["spec"]["selector"]
    world = scratch(controller)
    assert len(world.pods()) == 2
    assert world.draft.objects("ReplicationController")[0]["spec"]["selector"] == {"app": "web"}


def test_a_stateful_set_numbers_its_pods() -> None:
    world = scratch(samples.workload("StatefulSet", "web", replicas=3, serviceName="web"))
    world.make_ready()
    assert world.pod_names() == ["web-0", "web-1", "web-2"]
    second = world.pods()[1]
    assert (second["spec"]["hostname"], second["spec"]["subdomain"]) == ("web-1", "web")
    assert labels(second)["statefulset.kubernetes.io/pod-name"] == "web-1"
    update(world, samples.workload("StatefulSet", "web", replicas=1, serviceName="web"))
    assert world.pod_names() == ["web-0"]


def test_a_stateful_pod_is_replaced_under_its_name() -> None:
    world = scratch(samples.workload("StatefulSet", "web", replicas=1))
    (before,) = world.pods()
    world.make_ready()
    update(world, samples.workload("StatefulSet", "web", pod={"dnsPolicy": "Default"}, replicas=1))
    (after,) = world.pods()
    assert name(after) == "web-0"
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"]["dnsPolicy"] == "Default"


def test_a_pod_that_is_somebody_elses_is_not_taken_over() -> None:
    world = scratch(samples.pod("web-0", hostname="mine"), samples.workload("StatefulSet", "web", replicas=2))
    world.make_ready()
    assert world.pod_names() == ["web-0"]
    assert world.pods()[0]["spec"]["hostname"] == "mine"


@pytest.mark.parametrize(
    ("pod", "nodes"),
    [
        ({}, ["worker", "worker2"]),
        ({"tolerations": [{"operator": "Exists"}]}, ["control-plane", "worker", "worker2"]),
        ({"nodeSelector": {"kubernetes.io/hostname": "worker2"}}, ["worker2"]),
    ],
)
def test_a_daemon_set_has_a_pod_on_every_node_it_may_run_on(pod: Object, nodes: list[str]) -> None:
    world = scratch(samples.workload("DaemonSet", "agent", pod=pod))
    assert [a_pod["spec"]["nodeName"] for a_pod in world.pods()] == nodes


def test_a_cluster_of_one_node_has_no_taint() -> None:
    world = scratch(samples.workload("DaemonSet", "agent"), workers=0)
    assert [pod["spec"]["nodeName"] for pod in world.pods()] == ["control-plane"]


@pytest.mark.parametrize(
    ("spec", "phases", "active"),
    [
        ({}, [], 1),
        ({"completions": 5, "parallelism": 2}, [], 2),
        ({"completions": 5, "parallelism": 2}, ["Succeeded"], 2),
        ({"completions": 2, "parallelism": 2}, ["Succeeded"], 1),
        ({"completions": 2, "parallelism": 2}, ["Succeeded", "Succeeded"], 0),
        ({"completions": 1}, ["Failed"], 1),
        ({"completions": 1, "backoffLimit": 0}, ["Failed"], 0),
        ({"parallelism": 3}, ["Succeeded"], 2),
        ({"suspend": True}, [], 0),
    ],
)
def test_a_job_runs_until_it_is_complete(spec: dict[str, Any], phases: list[str], active: int) -> None:
    world = scratch(samples.workload("Job", "once", pod={"restartPolicy": "Never"}, **spec))
    for phase in phases:
        pod = next(pod for pod in world.pods() if pod["status"]["phase"] == "Pending")
        report(world, pod, {"phase": phase})
        world.wait(20)
    assert [pod["status"]["phase"] for pod in world.pods()].count("Pending") == active

