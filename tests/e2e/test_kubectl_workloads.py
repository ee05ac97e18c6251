"""kubectl and what makes pods: scale, rollout, wait; nodes that are cordoned, drained, tainted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from kubectl import Kubectl
from manifests import Object, netexec
from testbeds import PATIENCE_S

from topo.waiting import wait_until

REPLACEMENT_S = 1.0


def deployment(name: str = "web", replicas: int = 2, **spec: object) -> Object:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [netexec()], "terminationGracePeriodSeconds": 1}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec},
    }


def ready_pods(kubectl: Kubectl) -> list[Object]:
    def is_ready(pod: Object) -> bool:
        conditions = pod.get("status", {}).get("conditions", ())
        gone = "deletionTimestamp" in pod["metadata"]
        return not gone and any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    return [pod for pod in kubectl.json("pods")["items"] if is_ready(pod)]


def addresses(pods: list[Object]) -> set[str]:
    return {pod["status"]["podIP"] for pod in pods}


@pytest.fixture
def web(kubectl: Kubectl) -> Kubectl:
    """A namespace with a Deployment of two pods that are Ready."""
    kubectl.apply(deployment()).output  # noqa: B018
    kubectl("rollout", "status", "deployment/web", "--timeout=60s").output  # noqa: B018
    return kubectl


def test_scale(web: Kubectl) -> None:
    assert web("scale", "deployment", "web", "--replicas=4").output == "deployment.apps/web scaled"
    web("rollout", "status", "deployment/web", "--timeout=60s").output  # noqa: B018
    assert len(ready_pods(web)) == 4
    assert web("scale", "deployment", "web", "--replicas=1", "--current-replicas=3").status == 1
    web("scale", "deployment", "web", "--replicas=0").output  # noqa: B018
    web.wait("delete", "pod", "-l", "app=web")


def test_autoscale_is_kept_with_a_notice(web: Kubectl) -> None:
    done = web("autoscale", "deployment", "web", "--min=2", "--max=5", "--cpu-percent=80")
    assert done.output == "horizontalpodautoscaler.autoscaling/web autoscaled"
    assert "no effect here" in done.stderr
    assert web("get", "hpa", "web").output.splitlines()[1].split()[:2] == ["web", "Deployment/web"]


def test_a_rollout_its_history_and_the_way_back(web: Kubectl) -> None:
    web("set", "image", "deployment/web", "web=nginx").output  # noqa: B018
    assert "successfully rolled out" in web("rollout", "status", "deployment/web", "--timeout=60s").output
    images = {pod["spec"]["containers"][0]["image"] for pod in ready_pods(web)}
    assert images == {"nginx"}
    history = web("rollout", "history", "deployment/web").output.splitlines()
    assert [line.split()[0] for line in history[2:]] == ["1", "2"]
    assert "nginx" in web("rollout", "history", "deployment/web", "--revision=2").output
    assert web("rollout", "undo", "deployment/web").output == "deployment.apps/web rolled back"
    web("rollout", "status", "deployment/web", "--timeout=60s").output  # noqa: B018
    assert {pod["spec"]["containers"][0]["image"] for pod in ready_pods(web)} == {netexec()["image"]}


def test_a_restart_replaces_every_pod(web: Kubectl) -> None:
    before = addresses(ready_pods(web))
    web("rollout", "restart", "deployment/web").output  # noqa: B018
    web("rollout", "status", "deployment/web", "--timeout=60s").output  # noqa: B018
    assert not before & addresses(ready_pods(web))


def test_a_paused_rollout_waits(web: Kubectl) -> None:
    web("rollout", "pause", "deployment/web").output  # noqa: B018
    web("set", "image", "deployment/web", "web=nginx").output  # noqa: B018
    assert web("rollout", "undo", "deployment/web").status == 1
    assert {pod["spec"]["containers"][0]["image"] for pod in ready_pods(web)} == {netexec()["image"]}
    web("rollout", "resume", "deployment/web").output  # noqa: B018
    web("rollout", "status", "deployment/web", "--timeout=60s").output  # noqa: B018
    assert {pod["spec"]["containers"][0]["image"] for pod in ready_pods(web)} == {"nginx"}


def test_a_deleted_pod_is_replaced_at_once_with_a_new_address(web: Kubectl) -> None:
    before = ready_pods(web)
    deleted = before[0]["metadata"]["name"]
    web("delete", "pod", deleted, "--wait=false").output  # noqa: B018
    began = time.monotonic()
    wait_until(lambda: len(ready_pods(web)) == 2, PATIENCE_S, "two ready pods")
    assert time.monotonic() - began < REPLACEMENT_S
    added = {pod["metadata"]["name"]: pod for pod in ready_pods(web)}.keys() - {
        pod["metadata"]["name"] for pod in before
    }
    assert len(added) == 1
    assert addresses(ready_pods(web)) - addresses(before)


def test_waiting_for_conditions_and_for_the_end(web: Kubectl) -> None:
    assert "condition met" in web("wait", "--for=condition=Available", "deployment/web", "--timeout=30s").output
    assert web("wait", "--for=condition=Nothing", "deployment/web", "--timeout=1s").status == 1
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["test/hold"]}}
    web.apply(held).output  # noqa: B018
    with web.running("delete", "configmap", "held") as deleting:
        wait_until(lambda: "deletionTimestamp" in web.json("configmap", "held")["metadata"], PATIENCE_S, "a deletion")
        assert "timed out" in web("wait", "--for=delete", "configmap/held", "--timeout=1s").stderr
        web("patch", "configmap", "held", "--type=merge", "-p", '{"metadata": {"finalizers": null}}').output  # noqa: B018
        assert deleting.wait(PATIENCE_S) == 0


def test_other_workloads_roll_out(kubectl: Kubectl) -> None:
    stateful = {**deployment("db"), "kind": "StatefulSet"}
    stateful["spec"]["serviceName"] = "db"
    daemons = {**deployment("agent"), "kind": "DaemonSet"}
    del daemons["spec"]["replicas"]
    kubectl.apply(stateful, daemons).output  # noqa: B018
    kubectl("rollout", "status", "statefulset/db", "--timeout=60s").output  # noqa: B018
    kubectl("rollout", "status", "daemonset/agent", "--timeout=60s").output  # noqa: B018
    names = {pod["metadata"]["name"] for pod in ready_pods(kubectl)}
    assert {"db-0", "db-1"} <= names
    assert sum(name.startswith("agent-") for name in names) == 2


def test_a_cron_job_is_kept_and_can_be_run_by_hand(kubectl: Kubectl) -> None:
    container = {"name": "main", "image": "busybox", "command": ["true"]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    cron = {
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"},
        "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}},
    }  # fmt: skip
    kubectl.apply(cron).output  # noqa: B018
    assert kubectl("get", "cronjobs").output.splitlines()[1].split()[:6] == ["nightly", *["0", "0", "1", "1", "*"]]
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "now"}, "spec": {"template": template}}
    kubectl.apply(job).output  # noqa: B018
    kubectl.wait("condition=complete", "job/now")
    assert kubectl("get", "jobs").output.splitlines()[1].split()[:3] == ["now", "Complete", "1/1"]


@pytest.fixture
def worker(kubectl: Kubectl) -> Iterator[str]:
    """A node that may be changed."""
    yield "worker2"
    kubectl("uncordon", "worker2").output  # noqa: B018
    kubectl("taint", "node", "worker2", "test-")


def test_a_drained_node_loses_its_pods_and_gets_none_until_it_is_uncordoned(kubectl: Kubectl, worker: str) -> None:
    kubectl.apply(deployment(replicas=4)).output  # noqa: B018
    kubectl("rollout", "status", "deployment/web", "--timeout=60s").output  # noqa: B018
    assert worker in {pod["spec"]["nodeName"] for pod in ready_pods(kubectl)}
    assert kubectl("cordon", worker).output == f"node/{worker} cordoned"
    assert "Ready,SchedulingDisabled" in kubectl("get", "node", worker).output
    drained = kubectl("drain", worker, "--ignore-daemonsets", "--force", "--timeout=60s")
    assert drained.output.splitlines()[-1] in (f"node/{worker} drained", f"node/{worker} evicted")  # newer, older
    kubectl("rollout", "status", "deployment/web", "--timeout=60s").output  # noqa: B018
    assert worker not in {pod["spec"]["nodeName"] for pod in ready_pods(kubectl)}
    assert kubectl("uncordon", worker).output == f"node/{worker} uncordoned"
    kubectl("scale", "deployment", "web", "--replicas=8").output  # noqa: B018
    kubectl("rollout", "status", "deployment/web", "--timeout=60s").output  # noqa: B018
    assert worker in {pod["spec"]["nodeName"] for pod in ready_pods(kubectl)}


def test_a_disruption_budget_holds_an_eviction_back(kubectl: Kubectl, worker: str) -> None:
    kubectl.apply(deployment(replicas=1)).output  # noqa: B018
    kubectl("create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=1")
    budget = {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    }  # fmt: skip
    kubectl.apply(budget).output  # noqa: B018
    kubectl("rollout", "status", "deployment/web", "--timeout=60s").output  # noqa: B018
    node = ready_pods(kubectl)[0]["spec"]["nodeName"]
    refused = kubectl("drain", node, "--ignore-daemonsets", "--force", "--timeout=2s", "--pod-selector=app=web")
    kubectl("uncordon", node).output  # noqa: B018
    assert refused.status == 1
    assert "Cannot evict pod as it would violate the pod's disruption budget" in refused.stderr + refused.stdout


def test_a_taint_keeps_pods_away_and_drives_them_out(kubectl: Kubectl, worker: str) -> None:
    kubectl.apply(deployment(replicas=4)).output  # noqa: B018
    kubectl("rollout", "status", "deployment/web", "--timeout=60s").output  # noqa: B018
    assert kubectl("taint", "node", worker, "test=yes:NoExecute").output == f"node/{worker} tainted"
    wait_until(
        lambda: worker not in {pod["spec"]["nodeName"] for pod in ready_pods(kubectl)}, PATIENCE_S, "no pod on the node"
    )
    assert json.loads(kubectl("get", "node", worker, "-o", "json").output)["spec"]["taints"][0]["key"] == "test"
    assert kubectl("taint", "node", worker, "test-").output == f"node/{worker} untainted"
