"""The kinds that Kubernetes has, read from the schemas that the package `kubernetes_validate` carries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cluster.json_text import loads

Definitions = Mapping[str, Any]

_FOLDER = re.compile(r"v(\d+)\.(\d+)\.(\d+)-local-strict")

CLUSTER_SCOPED = frozenset((
    "APIService", "CSIDriver", "CSINode", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding",
    "ClusterTrustBundle", "ComponentStatus", "CustomResourceDefinition", "DeviceClass", "DeviceTaintRule", "FlowSchema",
    "IPAddress", "IngressClass", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PriorityClass",
    "PriorityLevelConfiguration", "ResourcePoolStatusRequest", "ResourceSlice", "RuntimeClass",
    "SelfSubjectAccessReview", "SelfSubjectReview", "SelfSubjectRulesReview", "ServiceCIDR", "StorageClass",
    "StorageVersion", "StorageVersionMigration", "SubjectAccessReview", "TokenReview", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration", "VolumeAttachment", "VolumeAttributesClass",
))
"""Kinds without a namespace: `kubectl api-resources --namespaced=false`. The schemas do not tell."""


@cache
def schema_folder() -> Path:
    """The strict schemas of the newest Kubernetes version that is installed."""
    package = find_spec("kubernetes_validate")  # found, not imported: importing it costs more than reading the schema
    if package is None or package.origin is None:
        raise ModuleNotFoundError("kubernetes_validate")
    folders = {
        tuple(map(int, match.groups())): folder
        for folder in (Path(package.origin).parent / "kubernetes-json-schema").iterdir()
        if (match := _FOLDER.fullmatch(folder.name))
    }
    return folders[max(folders)]


@cache
def definitions() -> Definitions:
    """The one file that defines every kind and everything in it (1.8 MB, read in 8 ms)."""
    loaded: Definitions = loads((schema_folder() / "_definitions.json").read_bytes())
    return loaded


@cache
def definition_names() -> Mapping[tuple[str, str], str]:
    """(apiVersion, kind) -> name of its definition, for every kind that can be created by a manifest."""
    names: dict[tuple[str, str], str] = {}
    for name, definition in definitions()["$defs"].items():
        metadata = definition.get("properties", {}).get("metadata", {})
        if not metadata.get("$ref", "").endswith(".ObjectMeta"):
            continue  # a list, or the options of a request
        for identity in definition.get("x-kubernetes-group-version-kind", ()):
            group, version = identity["group"], identity["version"]
            names[f"{group}/{version}" if group else version, identity["kind"]] = name
    return names


@cache
def api_versions() -> Mapping[str, tuple[str, ...]]:
    """kind -> its apiVersions, stable ones first."""
    versions: dict[str, list[str]] = {}
    for api_version, kind in definition_names():
        versions.setdefault(kind, []).append(api_version)
    return {kind: tuple(sorted(found, key=_stability)) for kind, found in versions.items()}


def _stability(api_version: str) -> tuple[bool, bool, str]:
    return "alpha" in api_version, "beta" in api_version, api_version


def namespaced(kind: str) -> bool:
    return kind not in CLUSTER_SCOPED
