"""The dry run says what the server does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import samples

from cluster.loops import ControlPlane
from cluster.objects import Object, name
from cluster.plan import plan
from cluster.problems import SpecError
from cluster.store import Store

SPEC = [
    samples.workload("Deployment", "web", replicas=3),
    samples.service("web"),
    samples.service("other", type="ExternalName", externalName="example.org"),
    samples.workload("StatefulSet", "db", replicas=2, podManagementPolicy="Parallel"),
    samples.service("db", clusterIP="None"),
]


def test_the_plan_has_the_documented_form() -> None:
    answer = json.loads(json.dumps(plan(samples.cluster(), SPEC).to_json()))
    assert [(node["name"], node["role"]) for node in answer["nodes"]] == [
        ("control-plane", "control-plane"),
        ("worker", "worker"),
        ("worker2", "worker"),
    ]
    assert answer["nodes"][0]["ips"] == [str(samples.cluster().nodes[0].addresses[0])]
    assert [pod["namespace"] for pod in answer["pods"]] == ["default"] * 5 + ["kube-system"] * 2
    for pod in answer["pods"]:
        assert set(pod) == {"namespace", "name", "node", "ips"}
    assert answer["services"] == [
        {"namespace": "kube-system", "name": "kube-dns", "cluster_ips": ["10.96.0.10"]},
        {"namespace": "default", "name": "web", "cluster_ips": ["10.96.1.1"]},
        {"namespace": "default", "name": "other", "cluster_ips": []},
        {"namespace": "default", "name": "db", "cluster_ips": ["None"]},
        {"namespace": "default", "name": "kubernetes", "cluster_ips": ["10.96.0.1"]},
    ]


def test_the_plan_is_what_the_server_makes_of_the_same_spec(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    plane = ControlPlane(store, samples.cluster())
    spec = [*SPEC, *(samples.workload("Deployment", f"many-{number}", replicas=40) for number in range(8))]
    plane.found(samples.cluster_document(), spec)
    turns = 0
    while plane.settle(one_turn=True):
        plane.heartbeat([f"worker{turns}"])  # what comes between has no influence
        turns += 1
    assert turns > 1
    real = {name(pod): (pod["spec"]["nodeName"], pod["status"]["podIP"]) for pod in store.list(["Pod"])}
    store.close()
    assert {pod.name: (pod.node, pod.ips[0]) for pod in plan(samples.cluster(), spec).pods} == real


def test_a_pod_that_fits_nowhere_is_in_the_plan_with_its_reason() -> None:
    pod, *_ = plan(samples.cluster(), [samples.pod("a", nodeSelector={"disk": "ssd"})]).pods
    assert (pod.node, pod.ips) == (None, [])
    assert pod.reason.startswith("0/3 nodes are available: ")


def test_the_objects_hold_everything_that_would_exist() -> None:
    kinds = {obj["kind"] for obj in plan(samples.cluster(), SPEC).objects}
    assert kinds == {
        *("Cluster", "Node", "Namespace", "ServiceAccount", "Event", "Service", "Endpoints", "EndpointSlice"),
        *("Deployment", "ReplicaSet", "StatefulSet", "ControllerRevision", "Pod", "ConfigMap"),
    }


def test_a_stateful_set_is_planned_to_its_end() -> None:
    pods = plan(samples.cluster(), [samples.workload("StatefulSet", "db", replicas=3)]).pods
    assert [pod.name for pod in pods if pod.namespace == "default"] == ["db-0", "db-1", "db-2"]


def test_a_wrong_spec_raises() -> None:
    wrong: Object = samples.service("web", clusterIP="192.0.2.1")
    with pytest.raises(SpecError, match="must be in the service range"):
        plan(samples.cluster(), [wrong])
