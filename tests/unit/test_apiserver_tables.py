"""What `kubectl get` shows."""

from __future__ import annotations

from typing import Any

import pytest

from cluster import resources
from cluster.apiserver.tables import pods, table, text
from cluster.registry.errors import StatusError

NOW_S = text.seconds("2026-01-01T01:00:00Z")
CREATED = "2026-01-01T00:00:00Z"


def row(kind: str, obj: dict[str, Any], wide: bool = False) -> list[Any]:
    obj = {"kind": kind, **obj, "metadata": {"name": "a", "creationTimestamp": CREATED, **obj.get("metadata", {})}}
    made = table.table(kind, [obj], "meta.k8s.io/v1", "None", NOW_S, {})
    columns = made["columnDefinitions"]
    return [
        cell for column, cell in zip(columns, made["rows"][0]["cells"], strict=True) if wide or column["priority"] == 0
    ]


def pod(status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "main"}], **spec}, "status": status}


def container(name: str = "main", ready: bool = False, restarts: int = 0, **state: Any) -> dict[str, Any]:
    return {"name": name, "ready": ready, "restartCount": restarts, "state": state, "started": ready}


@pytest.mark.parametrize(
    ("span_s", "told"),
    [
        *((-5, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (600, "10m")),
        *((10799, "179m"), (10800, "3h"), (11100, "3h5m"), (30000, "8h"), (172799, "47h"), (172800, "2d")),
        *((176400, "2d1h"), (864000, "10d"), (63072000, "2y"), (66000000, "2y33d"), (315360000, "10y")),
    ],
)
def test_an_age_has_two_units_where_one_is_coarse(span_s: float, told: str) -> None:
    assert text.duration(span_s) == told


@pytest.mark.parametrize(
    ("selector", "told"),
    [
        (None, "<none>"),
        ({}, "<none>"),
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        ({"matchExpressions": [{"key": "t", "operator": "In", "values": ["y", "x"]}]}, "t in (x,y)"),
        (
            {
                "matchLabels": {"c": "3"},
                "matchExpressions": [
                    {"key": "b", "operator": "Exists"},
                    {"key": "a", "operator": "DoesNotExist"},
                    {"key": "d", "operator": "NotIn", "values": ["z"]},
                ],
            },
            "!a,b,c=3,d notin (z)",
        ),
    ],
)
def test_a_selector_reads_as_kubectl_takes_it(selector: Any, told: str) -> None:
    assert text.selector(selector) == told


RUNNING = {"running": {"startedAt": CREATED}}
READY = [{"type": "Ready", "status": "True"}]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"phase": "Pending"}, ("0/1", "Pending")),
        ({"phase": "Running", "containerStatuses": [container(ready=True, **RUNNING)]}, ("1/1", "Running")),
        (
            {"phase": "Running", "containerStatuses": [container(waiting={"reason": "CrashLoopBackOff"})]},
            ("0/1", "CrashLoopBackOff"),
        ),
        (
            {"phase": "Succeeded", "containerStatuses": [container(terminated={"reason": "Completed", "exitCode": 0})]},
            ("0/1", "Completed"),
        ),
        (
            {"phase": "Failed", "containerStatuses": [container(terminated={"exitCode": 3})]},
            ("0/1", "ExitCode:3"),
        ),
        (
            {"phase": "Failed", "containerStatuses": [container(terminated={"exitCode": 137, "signal": 9})]},
            ("0/1", "Signal:9"),
        ),
        ({"phase": "Failed", "reason": "Evicted"}, ("0/1", "Evicted")),
        (
            {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]},
            ("0/1", "SchedulingGated"),
        ),
    ],
)  # fmt: skip
def test_a_pods_status_in_one_word(status: dict[str, Any], told: tuple[str, str]) -> None:
    found = pods.summary(pod(status))
    assert (f"{found.ready}/{found.total}", found.reason) == told


@pytest.mark.parametrize(
    ("init", "told"),
    [
        ([container("i", **RUNNING)], "Init:0/2"),
        ([container("i", terminated={"exitCode": 0}), container("j", **RUNNING)], "Init:1/2"),
        ([container("i", waiting={"reason": "ImagePullBackOff"})], "Init:ImagePullBackOff"),
        ([container("i", waiting={"reason": "PodInitializing"})], "Init:0/2"),
        ([container("i", terminated={"exitCode": 1, "reason": "Error"})], "Init:Error"),
        ([container("i", terminated={"exitCode": 1})], "Init:ExitCode:1"),
    ],
)
def test_a_pod_that_initialises(init: list[dict[str, Any]], told: str) -> None:
    status = {"phase": "Pending", "initContainerStatuses": init}
    assert pods.summary(pod(status, initContainers=[{"name": "i"}, {"name": "j"}])).reason == told


def test_a_sidecar_counts_as_a_container() -> None:
    status = {
        "phase": "Running",
        "initContainerStatuses": [container("side", ready=True, restarts=2, **RUNNING)],
        "containerStatuses": [container(ready=True, restarts=1, **RUNNING)],
    }
    found = pods.summary(pod(status, initContainers=[{"name": "side", "restartPolicy": "Always"}]))
    assert (found.ready, found.total, found.restarts, found.reason) == (2, 2, 3, "Running")


@pytest.mark.parametrize(("phase", "told"), [("Running", "Terminating"), ("Succeeded", "Completed")])
def test_a_pod_that_goes(phase: str, told: str) -> None:
    ended = [container(terminated={"reason": "Completed", "exitCode": 0})] if phase == "Succeeded" else []
    obj = pod({"phase": phase, "containerStatuses": ended})
    obj["metadata"]["deletionTimestamp"] = CREATED
    assert pods.summary(obj).reason == told


def test_a_restart_tells_when() -> None:
    last = {"lastState": {"terminated": {"finishedAt": "2026-01-01T00:59:30Z"}}}
    status = {"phase": "Running", "containerStatuses": [{**container(ready=True, restarts=3, **RUNNING), **last}]}
    assert row("Pod", pod(status))[3] == "3 (30s ago)"


SERVICE = {"clusterIPs": ["10.96.0.9"], "type": "ClusterIP", "ports": [{"port": 80, "protocol": "TCP"}]}


@pytest.mark.parametrize(
    ("kind", "obj", "told"),
    [
        ("Service", {"spec": SERVICE}, ["a", "ClusterIP", "10.96.0.9", "<none>", "80/TCP", "60m"]),
        (
            "Service",
            {"spec": {**SERVICE, "type": "LoadBalancer", "ports": [{"port": 1, "nodePort": 30001, "protocol": "UDP"}]}},
            ["a", "LoadBalancer", "10.96.0.9", "<pending>", "1:30001/UDP", "60m"],
        ),
        (
            "Service",
            {"spec": {"type": "ExternalName", "externalName": "x.org"}},
            ["a", "ExternalName", "<none>", "x.org", "<none>", "60m"],
        ),
        ("Service", {"spec": {**SERVICE, "externalIPs": ["1.2.3.4"]}}, ["a", "ClusterIP", "10.96.0.9", "1.2.3.4", "80/TCP", "60m"]),
        (
            "Endpoints",
            {"subsets": [{"addresses": [{"ip": f"10.0.0.{n}"} for n in range(4)], "ports": [{"port": 80}]}]},
            ["a", "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 1 more...", "60m"],
        ),
        ("Endpoints", {"subsets": [{"addresses": [{"ip": "fd00::1"}], "ports": [{"port": 80}]}]}, ["a", "[fd00::1]:80", "60m"]),
        (
            "EndpointSlice",
            {"addressType": "IPv4", "ports": [{"port": 80}], "endpoints": [{"addresses": ["10.0.0.1"]}]},
            ["a", "IPv4", "80", "10.0.0.1", "60m"],
        ),
        ("EndpointSlice", {"addressType": "IPv4", "ports": None, "endpoints": []}, ["a", "IPv4", "<unset>", "<unset>", "60m"]),
        (
            "Deployment",
            {"spec": {"replicas": 3}, "status": {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1}},
            ["a", "2/3", 3, 1, "60m"],
        ),
        ("ReplicaSet", {"spec": {"replicas": 3}, "status": {"replicas": 2}}, ["a", 3, 2, 0, "60m"]),
        ("StatefulSet", {"spec": {"replicas": 1}, "status": {"readyReplicas": 1}}, ["a", "1/1", "60m"]),
        (
            "Job",
            {"spec": {"completions": 4}, "status": {"succeeded": 1, "startTime": CREATED}},
            ["a", "Running", "1/4", "60m", "60m"],
        ),
        (
            "Job",
            {
                "spec": {"parallelism": 2},
                "status": {
                    "succeeded": 1,
                    "startTime": CREATED,
                    "completionTime": "2026-01-01T00:00:07Z",
                    "conditions": [{"type": "Complete", "status": "True"}],
                },
            },
            ["a", "Complete", "1/1 of 2", "7s", "60m"],
        ),
        (
            "HorizontalPodAutoscaler",
            {
                "spec": {
                    "scaleTargetRef": {"kind": "Deployment", "name": "web"},
                    "maxReplicas": 5,
                    "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}}],
                }
            },
            ["a", "Deployment/web", "cpu: <unknown>/80%", "<unset>", 5, 0, "60m"],
        ),
        ("PodDisruptionBudget", {"spec": {"minAvailable": "50%"}}, ["a", "50%", "N/A", 0, "60m"]),
        ("Ingress", {"spec": {"rules": [{"host": "x.org"}, {}], "tls": [{}]}}, ["a", "<none>", "x.org", "", "80, 443", "60m"]),
        ("NetworkPolicy", {"spec": {"podSelector": {"matchLabels": {"a": "b"}}}}, ["a", "a=b", "60m"]),
        ("ConfigMap", {"data": {"x": ""}, "binaryData": {"y": ""}}, ["a", 2, "60m"]),
        ("CSIDriver", {}, ["a", CREATED]),
        (
            "Node",
            {
                "metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}},
                "spec": {"unschedulable": True},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            },
            ["a", "Ready,SchedulingDisabled", "control-plane", "60m", ""],
        ),
        (
            "Event",
            {
                "lastTimestamp": CREATED,
                "type": "Normal",
                "reason": "Killing",
                "involvedObject": {"kind": "Pod", "name": "web"},
                "message": "x\n",
            },
            ["60m", "Normal", "Killing", "pod/web", "x"],
        ),
    ],
)  # fmt: skip
def test_a_row(kind: str, obj: dict[str, Any], told: list[Any]) -> None:
    assert row(kind, obj) == told


def test_every_kind_can_be_shown_when_it_is_as_empty_as_it_may_be() -> None:
    spec = {"template": {"spec": {}}, "jobTemplate": {"spec": {"template": {"spec": {}}}}}
    role = {"roleRef": {"kind": "Role", "name": "r"}}
    for resource in resources.resources():
        made = table.table(resource.kind, [{"metadata": {}, "spec": spec, **role}], "v", "None", NOW_S, {})
        assert len(made["rows"][0]["cells"]) == len(made["columnDefinitions"]), resource


def test_what_comes_along_with_a_row() -> None:
    obj = {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {}}
    for include, told in (
        ("Object", {"object": obj}),
        ("None", {}),
        (
            "Metadata",
            {"object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "a"}}},
        ),
    ):
        made = table.table("ConfigMap", [obj], "meta.k8s.io/v1", table.include_object(include), NOW_S, {})
        assert {key: value for key, value in made["rows"][0].items() if key != "cells"} == told
    with pytest.raises(StatusError, match="includeObject"):
        table.include_object("Everything")
