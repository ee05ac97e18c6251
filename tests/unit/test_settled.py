"""When a pod counts as settled."""

from __future__ import annotations

from typing import Any

import pytest
import samples

from cluster.objects import Object
from cluster.settled import missing_pod, unsettled


def pod(phase: str, is_ready: bool, **metadata: Any) -> Object:
    made = samples.pod("a", nodeName="worker")
    conditions = [{"type": "Ready", "status": str(is_ready)}]
    status = {"phase": phase, "podIPs": [{"ip": "10.0.0.1"}], "conditions": conditions}
    return {**made, "metadata": {**made["metadata"], **metadata}, "status": status}


def reasons(a_pod: Object, *nodes: Object) -> list[str]:
    return [missing_pod(pod).reason for pod in unsettled([a_pod], nodes)]


@pytest.mark.parametrize(("phase", "is_ready"), [("Running", True), ("Succeeded", False)])
def test_a_ready_pod_and_one_that_has_succeeded_are_settled(phase: str, is_ready: bool) -> None:
    assert reasons(pod(phase, is_ready)) == []


@pytest.mark.parametrize(("phase", "is_ready"), [("Running", False), ("Failed", False), ("Pending", False)])
def test_others_are_not(phase: str, is_ready: bool) -> None:
    assert reasons(pod(phase, is_ready)) == [f"{phase}, not Ready"]


def test_a_pod_is_missing_while_it_terminates() -> None:
    going = {"deletionTimestamp": samples.NOW, "deletionGracePeriodSeconds": 30}
    assert reasons(pod("Running", True, **going)) == ["terminating"]


def test_a_pod_that_has_ended_and_is_held_by_a_finalizer_is_settled() -> None:
    held = {"deletionTimestamp": samples.NOW, "deletionGracePeriodSeconds": 0, "finalizers": ["example.com/x"]}
    assert reasons(pod("Running", True, **held)) == []


def test_pods_on_a_node_that_is_out_of_reach_are_not_waited_for() -> None:
    taint = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
    node = {"kind": "Node", "metadata": {"name": "worker"}, "spec": {"taints": [taint]}}
    assert reasons(pod("Running", False), node) == []


def test_a_container_that_crashes_again_and_again_says_why() -> None:
    crashed = {"terminated": {"exitCode": 1, "message": "address already in use: port 80/TCP"}}
    waits = {"name": "web", "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}}
    failing = pod("Running", False)
    failing["status"]["containerStatuses"] = [{**waits, "lastState": crashed}]
    said = "CrashLoopBackOff: back-off 10s; exited with status 1: address already in use: port 80/TCP"
    assert reasons(failing) == [f"container web: {said}"]
