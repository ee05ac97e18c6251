"""Ingress under upstream's titles, and what it promises: no request is lost whatever changes behind it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kubernetes.client import ApiException
from rolling import ROLLOUT_S, Rolling, under_load
from service_site import Site, ips
from titles import INGRESS_TITLES, carried, upstream

from cluster.ingress_annotations import DEFAULT_CLASS
from cluster.ingress_controller import NAME as CONTROLLER
from cluster.ingress_controller import NAMESPACE, controller_objects
from topo.waiting import wait_until

Object = dict[str, Any]
GROUP = "networking.k8s.io/v1"
MERGE = "application/merge-patch+json"
OUTSIDE = "client/client1"
RATE, SECONDS = 100, 10
REPLICAS = 4
EXTERNAL_IP = "172.18.0.200"
_numbers = itertools.count(1)


def ingress(name: str, *paths: tuple[str, str], host: str = "", service: str = "web", **spec: Any) -> Object:
    """Paths with their types, all to port 80 of one Service."""
    backend = {"service": {"name": service, "port": {"number": 80}}}
    entries = [{"path": path, "pathType": path_type, "backend": backend} for path, path_type in paths]
    rule: Object = {"http": {"paths": entries}} | ({"host": host} if host else {})
    return {"apiVersion": GROUP, "kind": "Ingress", "metadata": {"name": name}, "spec": {"rules": [rule], **spec}}


def ingress_class(name: str, default: bool = False, **spec: Any) -> Object:
    annotations = {DEFAULT_CLASS: "true"} if default else {}
    metadata = {"name": name, "annotations": annotations, "labels": {"special": name}}
    spec = {"controller": "example.com/controller", **spec}
    return {"apiVersion": GROUP, "kind": "IngressClass", "metadata": metadata, "spec": spec}


def kind(site: Site, name: str) -> Any:
    version = {"Deployment": "apps/v1", "Ingress": GROUP, "IngressClass": GROUP}.get(name, "v1")
    return site.api.resources.get(api_version=version, kind=name)


@contextmanager
def existing(site: Site, *made: Object, namespace: str = "default") -> Iterator[list[Object]]:
    """These objects, as the API answers; gone at the end."""
    created: list[Object] = []
    try:
        for each in made:
            where = None if each["kind"] == "IngressClass" else namespace
            created.append(kind(site, each["kind"]).create(body=each, namespace=where).to_dict())
        yield created
    finally:
        for each in created:
            kind(site, each["kind"]).delete(name=each["metadata"]["name"], namespace=each["metadata"].get("namespace"))


def test_every_title_is_carried() -> None:
    assert [title for title in INGRESS_TITLES if title not in carried] == []


@upstream("Ingress API should support creating Ingress API operations [Conformance]")
def test_ingress_api_operations(site: Site) -> None:
    api = kind(site, "Ingress")
    assert site.api.resources.get(api_version=GROUP, kind="Ingress").name == "ingresses"
    labels = {"special-label": f"ingress-{next(_numbers)}"}
    chosen = f"special-label={labels['special-label']}"
    for _ in range(3):
        made = ingress("x", ("/", "Prefix"), host="example.com")
        made["metadata"] = {"generateName": "e2e-example-ing-", "labels": labels}
        api.create(body=made, namespace="default")
    listed = api.get(namespace="default", label_selector=chosen).to_dict()
    names = [item["metadata"]["name"] for item in listed["items"]]
    assert len(names) == len(api.get(label_selector=chosen).to_dict()["items"]) == 3
    name, version = names[0], listed["metadata"]["resourceVersion"]
    assert api.get(name=name, namespace="default").metadata.name == name
    change = {"metadata": {"annotations": {"patched": "true"}}}
    patched = api.patch(body=change, name=name, namespace="default", content_type=MERGE)
    assert patched.metadata.annotations["patched"] == "true"
    updating = patched.to_dict()
    updating["metadata"]["annotations"]["updated"] = "true"
    updated = api.replace(body=updating, namespace="default").to_dict()
    assert updated["metadata"]["annotations"] == {"patched": "true", "updated": "true"}
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "169.1.1.1"}]}}}
    shown = api.status.patch(body=status, name=name, namespace="default", content_type=MERGE).to_dict()
    assert shown["status"] == status["status"]
    shown["status"]["loadBalancer"]["ingress"] = [{"hostname": "a.example"}]
    replaced = api.status.replace(body=shown, name=name, namespace="default").to_dict()
    assert replaced["status"]["loadBalancer"]["ingress"] == [{"hostname": "a.example"}]
    api.delete(name=name, namespace="default")
    with pytest.raises(ApiException, match="404"):
        api.get(name=name, namespace="default")
    api.delete(namespace="default", label_selector=chosen, body={})
    assert api.get(namespace="default", label_selector=chosen).to_dict()["items"] == []
    told = api.watch(namespace="default", label_selector=chosen, resource_version=version, timeout=1)
    seen = [(event["type"], event["object"].metadata.name) for event in told]
    assert [event for event, which in seen if which == name] == ["MODIFIED"] * 4 + ["DELETED"]
    assert sorted(which for event, which in seen if event == "DELETED") == sorted(names)


@upstream("IngressClass API should support creating IngressClass API operations [Conformance]")
def test_ingress_class_api_operations(site: Site) -> None:
    api = kind(site, "IngressClass")
    names = [f"class-{next(_numbers)}" for _ in range(3)]
    made = [ingress_class(name) for name in names]
    for each in made:
        each["metadata"]["labels"] = {"special": "all"}
        assert api.create(body=each).spec.controller == "example.com/controller"
    chosen = "special=all"
    assert [item.metadata.name for item in api.get(label_selector=chosen).items] == names
    change = {"metadata": {"annotations": {"patched": "true"}}}
    patched = api.patch(body=change, name=names[0], content_type=MERGE)
    assert patched.metadata.annotations["patched"] == "true"
    updating = patched.to_dict()
    updating["metadata"]["annotations"]["updated"] = "true"
    assert api.replace(body=updating).metadata.annotations["updated"] == "true"
    with pytest.raises(ApiException, match="field is immutable"):
        api.patch(body={"spec": {"controller": "example.com/x"}}, name=names[0], content_type=MERGE)
    api.delete(name=names[0])
    api.delete(label_selector=chosen, body={})
    assert api.get(label_selector=chosen).items == []


@upstream("IngressClass [Feature:Ingress] should allow IngressClass to have Namespace-scoped parameters [Serial]")
def test_namespace_scoped_parameters(site: Site) -> None:
    parameters = {"kind": "Settings", "name": "foo", "namespace": "foo-ns", "scope": "Namespace", "apiGroup": "example.com"}
    with existing(site, ingress_class("scoped", parameters=parameters)) as [made]:
        assert made["spec"]["parameters"] == parameters
    with pytest.raises(ApiException) as refused:
        kind(site, "IngressClass").create(body=ingress_class("x", parameters={**parameters, "namespace": None}))
    assert "spec.parameters.namespace: Required value" in str(refused.value.body)


@upstream("IngressClass [Feature:Ingress] should not set default value if no default IngressClass [Serial]")
def test_no_default_class(site: Site) -> None:
    with existing(site, ingress_class("plain"), ingress("no-default", ("/", "Prefix"), host="a.example")) as [_, made]:
        assert "ingressClassName" not in made["spec"]


@upstream("IngressClass [Feature:Ingress] should set default value on new IngressClass [Serial]")
def test_default_class(site: Site) -> None:
    with existing(site, ingress_class("chosen", True), ingress("default", ("/", "Prefix"), host="a.example")) as [_, made]:
        assert made["spec"]["ingressClassName"] == "chosen"


@upstream(
    "IngressClass [Feature:Ingress] should choose the one with the later CreationTimestamp, if equal the one with the lower "
    "name when two ingressClasses are marked as default [Serial]"
)
def test_two_default_classes(site: Site) -> None:
    with existing(site, ingress_class("b-class", True), ingress_class("a-class", True)) as classes:
        times = {each["metadata"]["creationTimestamp"]: each["metadata"]["name"] for each in reversed(classes)}
        with existing(site, ingress("two", ("/", "Prefix"), host="a.example")) as [made]:
            lower = "a-class" if len(times) == 1 else times[max(times)]
            assert made["spec"]["ingressClassName"] == lower


@pytest.fixture(scope="module")
def controller(site: Site) -> Iterator[str]:
    """The ingress controller that comes with the first Ingress; the address of its Service."""
    first = ingress("first", ("/", "Prefix"))
    wanted = controller_objects([first])
    deployment, service = (each["metadata"]["name"] for each in wanted[-2:])

    def is_ready() -> bool:
        found = kind(site, "Deployment").get(namespace=NAMESPACE).to_dict()["items"]
        return any(each["metadata"]["name"] == deployment and each["status"].get("readyReplicas") for each in found)

    with existing(site, first):
        wait_until(is_ready, ROLLOUT_S, "an ingress controller")
    yield ips(kind(site, "Service").get(name=service, namespace=NAMESPACE).to_dict())[0]
    for each in reversed(wanted):
        where = None if each["kind"] in ("Namespace", "IngressClass") else NAMESPACE
        kind(site, each["kind"]).delete(name=each["metadata"]["name"], namespace=where)


def outside_address(site: Site) -> str:
    """Of the controller's load balancer."""
    service = kind(site, "Service").get(name=CONTROLLER, namespace=NAMESPACE).to_dict()
    return str(service["status"]["loadBalancer"]["ingress"][0]["ip"])


def answered(site: Site, address: str, wanted: Callable[[str], bool], host: str = "") -> None:
    """Wait until the controller answers a request for this host so."""
    options = ["-H", f"Host: {host}"] if host else []

    def asked() -> bool:
        done = site.testbed.exec("client", "curl", "-s", "-m", "2", *options, f"http://{address}/hostname")
        return wanted(done.stdout)

    wait_until(asked, ROLLOUT_S, f"{host or 'any host'} at the ingress controller")


def test_no_request_fails_while_pods_and_ingresses_change(site: Site, controller: str) -> None:
    """First every pod is replaced, then Ingresses come, change and go, under one load of a client outside."""
    pods = Rolling("behind", REPLICAS, answers_on_s=1)
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "behind"},
        "spec": {"selector": pods.labels, "ports": [{"port": 80, "targetPort": "http"}]},
    }  # fmt: skip
    rule = ingress("behind", ("/", "Prefix"), service="behind", ingressClassName="nginx")
    with existing(site, pods.deployment(), service, rule):
        pods.rolled_out(site)
        answered(site, controller, lambda said: said.startswith("behind-"))
        site.synced()
        with under_load(site, outside_address(site), SECONDS, OUTSIDE, RATE) as load:
            time.sleep(1)  # the load begins a moment later
            pods.replace_all(site)
            for number in range(4):
                other = ingress(f"other-{number}", ("/", "Prefix"), host="other.example", ingressClassName="nginx",
                                service="behind")  # fmt: skip
                with existing(site, other):
                    answered(site, controller, lambda said: said.startswith("behind-"), "other.example")
                more = {"spec": {"rules": [*rule["spec"]["rules"], {**rule["spec"]["rules"][0], "host": f"h{number}.example"}]}}
                kind(site, "Ingress").patch(body=more, name="behind", namespace="default", content_type=MERGE)
        assert load["made"] == SECONDS * RATE
        assert load["failed"] == {}, load
        assert len(load["answered"]) > REPLICAS, "old pods and new ones have answered"


def test_the_status_has_the_address(site: Site, controller: str) -> None:
    services = kind(site, "Service")
    change = {"spec": {"externalIPs": [EXTERNAL_IP]}}
    services.patch(body=change, name=CONTROLLER, namespace=NAMESPACE, content_type=MERGE)
    with existing(site, ingress("status", ("/", "Prefix"), host="status.example", ingressClassName="nginx")):

        def shown() -> list[Object]:
            found = kind(site, "Ingress").get(name="status", namespace="default").to_dict()
            return list(found["status"]["loadBalancer"].get("ingress") or ())

        wait_until(lambda: {"ip": EXTERNAL_IP} in shown(), ROLLOUT_S, f"{EXTERNAL_IP} in the status")
        change = {"spec": {"externalIPs": None}}
        services.patch(body=change, name=CONTROLLER, namespace=NAMESPACE, content_type=MERGE)
        wait_until(lambda: {"ip": EXTERNAL_IP} not in shown(), ROLLOUT_S, f"no {EXTERNAL_IP} in the status")


def test_the_backend_hears_of_a_client_outside(site: Site, controller: str) -> None:
    """By the load balancer of the controller, whose Service keeps the addresses of clients."""
    client, *_ = site.testbed.status()["clients"]
    web = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "xff"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
    }  # fmt: skip
    with existing(site, web, ingress("xff", ("/", "Prefix"), host="out.example", service="xff", ingressClassName="nginx")):
        answered(site, controller, lambda said: said in ("s1", "s2", "s3"), "out.example")
        url = f"http://{outside_address(site)}/header?key=X-Forwarded-For"
        asked = ("curl", "-s", "-m", "5", "-H", "Host: out.example", url)
        assert site.testbed.exec(f"client/{client['name']}", *asked).stdout in client["ips"]


def test_the_backend_hears_of_the_client(site: Site, controller: str) -> None:
    with existing(site, ingress("xff", ("/", "Prefix"), host="xff.example", service="xff", ingressClassName="nginx")):
        service = {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "xff"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
        }  # fmt: skip
        with existing(site, service):
            answered(site, controller, lambda said: said in ("s1", "s2", "s3"), "xff.example")
            asked = ("curl", "-s", "-H", "Host: xff.example", f"http://{controller}/header?key=X-Forwarded-For")
            address = site.get("Pod", "client")["status"]["podIP"]
            assert site.testbed.exec("client", *asked).stdout == address
        answered(site, controller, lambda said: "503 Service Temporarily Unavailable" in said, "xff.example")
