"""Ingresses and IngressClasses in the API: the default class, and what is wrong in Kubernetes' words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from api_site import Site, refused, site

from cluster.admission import admit_ingress
from cluster.ingress_annotations import CLASS, DEFAULT_CLASS

Object = dict[str, Any]
BACKEND: Object = {"service": {"name": "web", "port": {"number": 80}}}


def ingress(**spec: Any) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i", "namespace": "default"},
        "spec": {"defaultBackend": BACKEND, **spec},
    }  # fmt: skip


def ingress_class(name: str, created: str = "2026-01-01T00:00:00Z", default: str = "true") -> Object:
    metadata = {"name": name, "annotations": {DEFAULT_CLASS: default}, "creationTimestamp": created}
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": metadata,
        "spec": {"controller": "example.com/x"},
    }  # fmt: skip


@pytest.fixture
def api(tmp_path: Path) -> Site:
    return site(tmp_path)


LATER = "2026-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("classes", "chosen"),
    [
        ([], None),
        ([ingress_class("a", default="false")], None),
        ([ingress_class("a"), ingress_class("b", LATER)], "b"),
        ([ingress_class("b", LATER), ingress_class("a", LATER), ingress_class("c")], "a"),
    ],
)
def test_the_youngest_default_class_then_the_first_by_name(classes: list[Object], chosen: str | None) -> None:
    assert admit_ingress(ingress(), classes)["spec"].get("ingressClassName") == chosen


def test_who_names_a_class_keeps_it() -> None:
    assert admit_ingress(ingress(ingressClassName="x"), [ingress_class("a")])["spec"]["ingressClassName"] == "x"
    annotated = ingress()
    annotated["metadata"]["annotations"] = {CLASS: "old"}
    assert "ingressClassName" not in admit_ingress(annotated, [ingress_class("a")])["spec"]


def test_a_new_ingress_gets_the_default_class(api: Site) -> None:
    api.create(ingress_class("a"))
    assert api.create(ingress())["spec"]["ingressClassName"] == "a"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ingress(rules=[{"host": "10.0.0.1"}]),
            'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address',
        ),
        (
            ingress(rules=[{"http": {"paths": [{"path": "/a//b", "pathType": "Prefix", "backend": BACKEND}]}}]),
            'spec.rules[0].http.paths[0].path: Invalid value: "/a//b": must not contain \'//\'',
        ),
        (
            ingress(rules=[{"http": {"paths": [{"path": "/", "backend": BACKEND}]}}]),
            "spec.rules[0].http.paths[0].pathType: Required value",
        ),
        (
            ingress(rules=[{"http": {"paths": []}}]),
            "spec.rules[0].http.paths: Required value",
        ),
        (
            ingress(tls=[{"hosts": ["*.*.example"]}]),
            'spec.tls[0].hosts[0]: Invalid value: "*.*.example": a wildcard DNS-1123 subdomain must start with \'*.\'',
        ),
        (
            ingress(ingressClassName="No"),
            'spec.ingressClassName: Invalid value: "No": a lowercase RFC 1123 subdomain must consist of',
        ),
    ],
)
def test_what_is_wrong_is_told_in_kubernetes_words(api: Site, given: Object, message: str) -> None:
    error = refused(api.create, given)
    assert (error.code, error.reason) == (422, "Invalid")
    assert error.message.startswith(f'Ingress.networking.k8s.io "i" is invalid: {message}'), error.message
