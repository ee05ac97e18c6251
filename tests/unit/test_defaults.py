"""Defaults, and what an update keeps."""

from __future__ import annotations

import pytest
import samples

from cluster.defaults import complete
from cluster.objects import ATTACHMENT_ANNOTATION, Object


def test_an_object_without_namespace_is_in_default() -> None:
    pod = samples.pod("a")
    del pod["metadata"]["namespace"]
    assert complete(pod, None)["metadata"]["namespace"] == "default"


def test_a_namespace_has_its_name_as_label() -> None:
    made = complete({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}, None)
    assert made["metadata"] == {"name": "shop", "labels": {"kubernetes.io/metadata.name": "shop"}}
    assert made["spec"] == {"finalizers": ["kubernetes"]}
    assert made["status"] == {"phase": "Active"}


def test_probes_get_their_defaults() -> None:
    probe = {"httpGet": {"port": 80}, "periodSeconds": 1}
    container: Object = {"name": "main", "image": "pause", "readinessProbe": probe}
    made = complete(samples.pod("a", containers=[container]), None)
    assert made["spec"]["containers"][0]["readinessProbe"] == {
        "httpGet": {"path": "/", "scheme": "HTTP", "port": 80},
        "timeoutSeconds": 1,
        "periodSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def test_the_users_status_does_not_count() -> None:
    given = {**samples.pod("a"), "status": {"phase": "Running"}}
    assert complete(given, None)["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert complete(given, {**samples.pod("a"), "status": {"phase": "Failed"}})["status"] == {"phase": "Failed"}


def test_a_bound_pod_stays_bound() -> None:
    stored = samples.pod("a", nodeName="worker")
    stored["metadata"]["annotations"] = {ATTACHMENT_ANNOTATION: "veth", "old": "gone"}
    made = complete(samples.pod("a"), stored)
    assert made["spec"]["nodeName"] == "worker"
    assert made["metadata"]["annotations"] == {ATTACHMENT_ANNOTATION: "veth"}


def test_the_given_object_is_left_as_it_is() -> None:
    given = samples.service("web")
    complete(given, None)
    assert given == samples.service("web")


def test_a_pod_is_what_a_real_cluster_shows() -> None:
    given: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]},
    }
    made = complete(given, None)
    mount = {
        "name": "kube-api-access-" + made["spec"]["volumes"][0]["name"].rpartition("-")[2],
        "readOnly": True,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    }
    assert made["spec"].pop("volumes")[0]["projected"]["defaultMode"] == 420
    assert made["spec"] == {
        "containers": [
            {
                "name": "web",
                "image": "nginx:1.27",
                "imagePullPolicy": "IfNotPresent",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "volumeMounts": [mount],
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
        "priority": 0,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "serviceAccount": "default",
        "serviceAccountName": "default",
        "terminationGracePeriodSeconds": 30,
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1", "IfNotPresent"),
        ("host:5000/nginx", "Always"),
        ("nginx@sha256:0", "IfNotPresent"),
    ],
)
def test_images_with_a_tag_are_pulled_once(image: str, policy: str) -> None:
    made = complete(samples.pod("a", containers=[{"name": "main", "image": image}]), None)
    assert made["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_a_pod_without_token_has_no_volume() -> None:
    assert "volumes" not in complete(samples.pod("a", automountServiceAccountToken=False), None)["spec"]


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
    ],
)
def test_the_quality_of_service_follows_from_the_resources(resources: Object, expected: str) -> None:
    container = {"name": "main", "image": "pause", "resources": resources}
    assert complete(samples.pod("a", containers=[container]), None)["status"]["qosClass"] == expected


def test_workloads_have_their_strategies() -> None:
    def spec(kind: str) -> Object:
        made = complete(samples.workload(kind, "web"), None)["spec"]
        return {field: value for field, value in made.items() if field not in ("selector", "template")}

    assert spec("Deployment") == {
        "progressDeadlineSeconds": 600,
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
    }
    assert spec("StatefulSet") == {
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "podManagementPolicy": "OrderedReady",
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "serviceName": "",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
    }
    assert spec("DaemonSet") == {
        "revisionHistoryLimit": 10,
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
    }
    assert spec("Job") == {
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "completions": 1,
        "parallelism": 1,
        "podReplacementPolicy": "TerminatingOrFailed",
        "suspend": False,
    }


def test_recreate_has_no_rolling_update() -> None:
    made = complete(samples.workload("Deployment", "web", strategy={"type": "Recreate"}), None)
    assert made["spec"]["strategy"] == {"type": "Recreate"}


def test_a_job_selects_its_own_pods() -> None:
    spec = complete(samples.workload("Job", "web"), None, "the-uid")["spec"]
    assert spec["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "the-uid"}}
    assert spec["template"]["metadata"]["labels"]["job-name"] == "web"


def test_secrets_keep_text_as_data() -> None:
    given = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}
    made = complete(given, None)
    assert (made["type"], made["data"]) == ("Opaque", {"a": "Yg=="})
    assert "stringData" not in made


@pytest.mark.parametrize(
    ("spec", "types"),
    [
        ({}, ["Ingress"]),
        ({"egress": []}, ["Ingress"]),
        ({"egress": [{}]}, ["Ingress", "Egress"]),
        ({"policyTypes": []}, ["Ingress"]),
        ({"policyTypes": ["Egress"]}, ["Egress"]),
    ],
)
def test_policy_types_follow_from_the_sections(spec: Object, types: list[str]) -> None:
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": spec}
    assert complete(policy, None)["spec"]["policyTypes"] == types


def test_defaults_change_nothing_the_second_time() -> None:
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
        made = complete(samples.workload(kind, "web"), None)
        assert complete(made, made) == made
    pod = complete(samples.pod("a", hostNetwork=True), None)
    assert pod["spec"]["containers"][0]["ports"][0]["hostPort"] == 8080
    assert complete(pod, pod) == pod
