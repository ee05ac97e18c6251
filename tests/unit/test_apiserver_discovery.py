"""Paths, discovery and OpenAPI: what is served, told in every form that clients ask for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cluster import resources
from cluster.apiserver import discovery, openapi, openapi_proto, openapi_schemas, paths

POD = resources.find("", "v1", "pods")


@pytest.mark.parametrize(
    ("path", "namespace", "name", "subresource", "rest"),
    [
        ("/api/v1/pods", "", "", "", ""),
        ("/api/v1/namespaces/shop/pods", "shop", "", "", ""),
        ("/api/v1/namespaces/shop/pods/web", "shop", "web", "", ""),
        ("/api/v1/namespaces/shop/pods/web/log", "shop", "web", "log", ""),
        ("/api/v1/namespaces/shop/pods/web:80/proxy", "shop", "web:80", "proxy", "/"),
        ("/api/v1/namespaces/shop/pods/web:80/proxy/a//b/", "shop", "web:80", "proxy", "/a//b/"),
    ],
)
def test_a_path_names_a_target(path: str, namespace: str, name: str, subresource: str, rest: str) -> None:
    assert paths.parse(path) == paths.Target(POD, namespace, name, subresource, rest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "plural", "name", "subresource"),
    [
        ("/api/v1/namespaces", "namespaces", "", ""),
        ("/api/v1/namespaces/shop", "namespaces", "shop", ""),
        ("/api/v1/namespaces/shop/finalize", "namespaces", "shop", "finalize"),
        ("/api/v1/nodes/worker/proxy/metrics", "nodes", "worker", "proxy"),
        ("/apis/apps/v1/deployments", "deployments", "", ""),
    ],
)
def test_a_path_without_a_namespace(path: str, plural: str, name: str, subresource: str) -> None:
    target = paths.parse(path)
    assert target is not None
    assert (target.resource.plural, target.namespace, target.name, target.subresource) == (
        plural,
        "",
        name,
        subresource,
    )


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/api", "/api/v1", "/api/v1/", "/apis/apps", "/other/v1/pods", "/api/v2/pods", "/api/v1/nothing"),
        *("/api/v1/namespaces/shop/nodes", "/api/v1/pods/web", "/api/v1/namespaces/shop/pods/web/nothing"),
        "/api/v1/namespaces/shop/pods/web/log/more",
    ],
)
def test_a_path_that_names_nothing(path: str) -> None:
    assert paths.parse(path) is None


def test_every_resource_is_found_by_the_path_that_discovery_tells() -> None:
    for resource in resources.resources():
        root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
        target = paths.parse(f"{root}/{resource.plural}")
        assert target is not None, resource
        assert target.resource == resource


def test_old_and_aggregated_discovery_tell_the_same() -> None:
    told = {
        (group["metadata"]["name"], version["version"], entry["resource"], tuple(entry["verbs"]))
        for core in (True, False)
        for group in discovery.aggregated(core, discovery.AGGREGATED_VERSIONS[0])["items"]
        for version in group["versions"]
        for entry in version["resources"]
    }
    listed = set()
    for group, versions in resources.groups().items():
        for version in versions:
            found = discovery.resource_list(group, version)
            assert found is not None
            entries = [entry for entry in found["resources"] if "/" not in entry["name"]]
            listed |= {(group, version, entry["name"], tuple(entry["verbs"])) for entry in entries}
    assert told == listed


def test_what_is_not_served_is_not_told() -> None:
    assert discovery.group("nothing") is None
    assert discovery.group("") is None
    assert discovery.resource_list("apps", "v2") is None


def test_definitions_are_as_the_real_server_has_them() -> None:
    definitions = openapi_schemas.v2()
    port = definitions["io.k8s.api.core.v1.ServicePort"]["properties"]
    assert port["port"] == {
        "description": "The port that will be exposed by this service.",
        "format": "int32",
        "type": "integer",
    }
    assert port["targetPort"]["$ref"] == "#/definitions/io.k8s.apimachinery.pkg.util.intstr.IntOrString"
    assert definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["format"] == "int-or-string"
    containers = definitions["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert "enum" not in definitions["io.k8s.api.core.v1.Pod"]["properties"]["kind"]


def test_a_document_of_version_3_has_all_that_it_refers_to() -> None:
    document = json.loads(openapi.group_document("apis/apps/v1"))
    schemas = document["components"]["schemas"]
    referred = set(references(document))
    assert referred
    assert referred <= {f"#/components/schemas/{name}" for name in schemas}
    assert "io.k8s.api.autoscaling.v1.Scale" in schemas
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert {"dryRun", "fieldValidation"} <= {each["name"] for each in patch["parameters"]}


def references(value: Any) -> Any:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for below in value.values():
            yield from references(below)
    elif isinstance(value, list):
        for below in value:
            yield from references(below)


def test_the_protobuf_form_is_what_the_messages_say() -> None:
    schema = {"type": "string", "x-y": 1}
    encoded = openapi_proto.document({"swagger": "2.0", "definitions": {"A": {"properties": {"b": schema}}}})
    # Document: swagger = 1, definitions = 9 (NamedSchema = 1: name = 1, value = 2; properties = 25, type = 22, x = 31).
    inner = b"\xb2\x01\x08\x0a\x06string" + b"\xfa\x01\x0a\x0a\x03x-y\x12\x03\x12\x011"
    properties = b"\x0a" + bytes([len(inner) + 5]) + b"\x0a\x01b\x12" + bytes([len(inner)]) + inner
    value = b"\xca\x01" + bytes([len(properties)]) + properties
    named = b"\x0a\x01A\x12" + bytes([len(value)]) + value
    definitions = b"\x0a" + bytes([len(named)]) + named
    assert encoded == b"\x0a\x032.0" + b"\x4a" + bytes([len(definitions)]) + definitions


def test_the_whole_document_can_be_encoded() -> None:
    assert len(openapi.v2_protobuf()) > 1_000_000


def test_a_field_that_the_messages_do_not_have_is_an_error() -> None:
    with pytest.raises(ValueError, match="oneOf"):
        openapi_proto.document({"definitions": {"A": {"oneOf": []}}})
