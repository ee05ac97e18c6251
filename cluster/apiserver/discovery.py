"""Discovery: which groups, versions and resources there are, in the old form and in the aggregated one.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from cluster import kinds, resources
from cluster.resources import Resource, Subresource

AGGREGATED_KIND = "APIGroupDiscoveryList"
AGGREGATED_VERSIONS = ("apidiscovery.k8s.io/v2", "apidiscovery.k8s.io/v2beta1")

Json = dict[str, Any]


@cache
def version() -> Mapping[str, str]:
    """That of Kubernetes whose schemas are installed: it decides which fields there are."""
    release = kinds.schema_folder().name.partition("-")[0]
    major, minor, _ = release[1:].split(".")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"{release}+mininetes",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": f"python{platform.python_version()}",
        "platform": f"linux/{machine}",
    }


def api_versions(address: str) -> Json:
    """/api. `address`: host and port of the server."""
    served = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {
        "kind": "APIVersions",
        "versions": list(resources.groups()[""]),
        "serverAddressByClientCIDRs": served,
    }


@cache
def group_list() -> Json:
    """/apis."""
    groups = [_group(name, versions) for name, versions in resources.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(name: str) -> Json | None:
    """/apis/GROUP."""
    versions = resources.groups().get(name) if name else None
    return None if versions is None else {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}


def resource_list(name: str, version_name: str) -> Json | None:
    """/api/v1, /apis/GROUP/VERSION."""
    if version_name not in resources.groups().get(name, ()):
        return None
    listed = [entry for resource in _of(name, version_name) for entry in _entries(resource)]
    group_version = f"{name}/{version_name}" if name else version_name
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def aggregated(core: bool, api_version: str) -> Json:
    """/api or /apis in one document, as `api_version` of apidiscovery.k8s.io."""
    items = [
        {"metadata": {"name": name, "creationTimestamp": None}, "versions": [_version(name, each) for each in versions]}
        for name, versions in resources.groups().items()
        if (name == "") == core
    ]
    return {"kind": AGGREGATED_KIND, "apiVersion": api_version, "metadata": {}, "items": items}


def _of(name: str, version_name: str) -> Iterable[Resource]:
    return [one for one in resources.resources() if (one.group, one.version) == (name, version_name)]


def _group(name: str, versions: Sequence[str]) -> Json:
    listed = [{"groupVersion": f"{name}/{each}", "version": each} for each in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _entries(resource: Resource) -> Iterable[Json]:
    yield {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
        **_names(resource),
    }
    for subresource in resource.subresources:
        other = {"group": subresource.group, "version": subresource.version} if subresource.version else {}
        yield {
            "name": f"{resource.plural}/{subresource.name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            **other,
            "kind": subresource.kind,
            "verbs": list(subresource.verbs),
        }


def _names(resource: Resource) -> Json:
    short = {"shortNames": list(resource.short_names)} if resource.short_names else {}
    return {**short, **({"categories": list(resource.categories)} if resource.categories else {})}


def _version(name: str, version_name: str) -> Json:
    listed = [
        {
            "resource": resource.plural,
            "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "singularResource": resource.singular,
            "verbs": list(resource.verbs),
            **_names(resource),
            **_subresources(resource),
        }
        for resource in _of(name, version_name)
    ]
    return {"version": version_name, "resources": listed, "freshness": "Current"}


def _subresources(resource: Resource) -> Json:
    listed = [
        {
            "subresource": one.name,
            "responseKind": _response_kind(resource, one),
            "verbs": list(one.verbs),
        }
        for one in resource.subresources
    ]
    return {"subresources": listed} if listed else {}


def _response_kind(resource: Resource, subresource: Subresource) -> Json:
    if subresource.version:
        return {"group": subresource.group, "version": subresource.version, "kind": subresource.kind}
    return {"group": resource.group, "version": resource.version, "kind": subresource.kind}
