"""Defaults, and what an update keeps."""

from __future__ import annotations

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
    assert "status" not in complete(given, None)
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
