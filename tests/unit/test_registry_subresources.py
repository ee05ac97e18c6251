"""scale, binding, eviction, tokens, finalize."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import samples
from api_site import STRICT, Site, config_map, refused, resource, site

from cluster.objects import Object
from cluster.registry import Registry
from cluster.registry.scale import selector_text
from cluster.registry.subresources import TokenRequest


@pytest.fixture
def api(tmp_path: Path) -> Site:
    return site(tmp_path)


def post(api: Site, kind: str, name: str, subresource: str, body: Object) -> Object:
    return api.registry.create_subresource(resource(kind), "default", name, subresource, body, STRICT)


def report(api: Site, pod: Object, **status: Any) -> None:
    merged = {**pod, "status": {**pod.get("status", {}), **status}}
    api.update(merged, subresource="status")


def test_a_scale_shows_replicas_and_selector(api: Site) -> None:
    made = api.create(samples.workload("Deployment", "web", replicas=2))
    scale = api.registry.get(resource("Deployment"), "default", "web", "scale")
    assert scale["kind"] == "Scale" and scale["apiVersion"] == "autoscaling/v1"
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"] == {"replicas": 0, "selector": "app=web"}
    assert scale["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_writing_a_scale_changes_the_replicas(api: Site) -> None:
    made = api.create(samples.workload("Deployment", "web"))
    scale = api.registry.get(resource("Deployment"), "default", "web", "scale")
    api.registry.update(resource("Deployment"), "default", "web", {**scale, "spec": {"replicas": 4}}, STRICT, "scale")
    assert api.get("Deployment", "web")["spec"]["replicas"] == 4
    patched = api.patch("Deployment", "web", "merge", {"spec": {"replicas": 0}}, subresource="scale").obj
    assert patched["kind"] == "Scale" and patched["spec"] == {}
    stale = {**scale, "metadata": {**scale["metadata"], "resourceVersion": made["metadata"]["resourceVersion"]}}
    kind = resource("Deployment")
    assert refused(api.registry.update, kind, "default", "web", stale, STRICT, "scale").code == 409


def test_a_negative_scale_is_invalid(api: Site) -> None:
    api.create(samples.workload("Deployment", "web"))
    error = refused(api.patch, "Deployment", "web", "merge", {"spec": {"replicas": -1}}, subresource="scale")
    assert error.message == (
        'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'
    )


def test_a_scale_can_be_applied(api: Site) -> None:
    api.create(samples.workload("Deployment", "web"))
    body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 3}}
    error = refused(api.patch, "Deployment", "web", "apply", body, subresource="scale")
    assert error.details is not None and error.details["causes"][0]["field"] == ".spec.replicas"


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        ({"app": "old"}, "app=old"),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["y", "x"]}]}, "a notin (x,y)"),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, "!a"),
    ],
)
def test_selectors_are_written_as_queries(selector: Object, text: str) -> None:
    assert selector_text(selector) == text


def test_a_pod_is_bound_once(api: Site) -> None:
    api.create(samples.pod("a"))
    body = {"target": {"kind": "Node", "name": "worker"}}
    assert post(api, "Pod", "a", "binding", body)["status"] == "Success"
    assert api.get("Pod", "a")["spec"]["nodeName"] == "worker"
    error = refused(post, api, "Pod", "a", "binding", body)
    assert error.message == (
        'Operation cannot be fulfilled on pods "a": pod a is already assigned to node "worker"'
    )


def test_an_eviction_without_budget_deletes(api: Site) -> None:
    api.create(samples.pod("a"))
    post(api, "Pod", "a", "eviction", {"metadata": {"name": "a"}})
    assert refused(api.get, "Pod", "a").code == 404


def test_a_budget_refuses_an_eviction_and_says_when_to_come_back(api: Site) -> None:
    pod = api.create(samples.pod("a", {"app": "web"}, nodeName="worker"))
    report(api, pod, phase="Running", conditions=[{"type": "Ready", "status": "True"}])
    budget = api.create({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    })  # fmt: skip
    early = refused(post, api, "Pod", "a", "eviction", {"metadata": {"name": "a"}})
    assert (early.code, early.reason) == (429, "TooManyRequests")
    full = {"observedGeneration": 1, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1}
    budget = api.update({**budget, "status": {**full, "disruptionsAllowed": 0}}, subresource="status")
    error = refused(post, api, "Pod", "a", "eviction", {"metadata": {"name": "a"}})
    assert error.message == "Cannot evict pod as it would violate the pod's disruption budget."
    assert error.retry_after_s == 1
    assert error.details is not None and error.details["causes"] == [
        {"reason": "DisruptionBudget", "message": "The disruption budget web needs 1 healthy pods and has 1 currently"}
    ]
    api.update({**budget, "status": {**full, "disruptionsAllowed": 1}}, subresource="status")
    post(api, "Pod", "a", "eviction", {"metadata": {"name": "a"}})
    assert api.get("PodDisruptionBudget", "web")["status"]["disruptionsAllowed"] == 0
    assert api.get("Pod", "a")["metadata"]["deletionTimestamp"]


def test_a_token_says_whose_it_is(api: Site) -> None:
    asked: list[TokenRequest] = []

    def sign(request: TokenRequest) -> tuple[str, float]:
        asked.append(request)
        return "signed", 7200.0

    registry = Registry(api.plane, sign)
    account = api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}})
    body = {"spec": {"audiences": ["x"], "expirationSeconds": 900}}
    answer = registry.create_subresource(resource("ServiceAccount"), "default", "robot", "token", body, STRICT)
    assert answer["status"] == {"token": "signed", "expirationTimestamp": "1970-01-01T02:00:00Z"}
    assert asked == [TokenRequest("default", "robot", account["metadata"]["uid"], ["x"], 900, {})]
    short = {"spec": {"expirationSeconds": 1}}
    error = refused(registry.create_subresource, resource("ServiceAccount"), "default", "robot", "token", short, STRICT)
    assert error.code == 422


def test_finalizing_a_namespace_lets_it_go(api: Site) -> None:
    made = api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "old"}})
    assert made["spec"] == {"finalizers": ["kubernetes"]} and made["status"] == {"phase": "Active"}
    api.update({**made, "spec": {}})
    assert api.get("Namespace", "old")["spec"] == {"finalizers": ["kubernetes"]}
    going = api.delete("Namespace", "old")
    api.registry.update(resource("Namespace"), None, "old", {**going, "spec": {}}, STRICT, "finalize")
    assert refused(api.get, "Namespace", "old").code == 404


def test_what_cannot_be_done_to_a_running_pod_is_refused_clearly(api: Site) -> None:
    made = api.create(samples.pod("a"))
    assert refused(api.update, made, subresource="ephemeralcontainers").code == 405
    assert refused(api.update, api.create(config_map("c")), subresource="scale").code == 404
