"""What is accepted though it has no effect on the network: one notice per kind or field name, at its first place.

Data, not code: a kind or field that gains an effect is taken out of its table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cluster import ingress_annotations
from cluster.problems import Problem
from cluster.reading.documents import Document
from cluster.reading.findings import Finding, Path
from cluster.system import is_dns_config
from cluster.templates import pod_spec_path, value_at

EFFECTIVE_KINDS = frozenset(
    (
        *("Namespace", "Node", "Pod", "Service", "Endpoints", "EndpointSlice"),
        *("NetworkPolicy", "Ingress", "IngressClass", "Secret"),
        *("PodDisruptionBudget", "ServiceAccount", "Event", "Lease"),
        *("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job", "CronJob", "ReplicationController"),
    )
)
"""Every other kind of Kubernetes is stored and does nothing."""

_NO_IMAGES = "images are not run; see the table of images for what stands in"
_NO_ISOLATION = "containers are plain processes"
_NO_VOLUMES = "containers see volumes below /tmp, /run and /var only"
_NO_ACCOUNTS = "there is no authorisation"
_NO_LIMITS = "containers have no limits"
_ONE_LIMIT = "every failed pod counts against backoffLimit"

POD_FIELDS: Mapping[str, str] = {
    "automountServiceAccountToken": _NO_ACCOUNTS,
    "hostIPC": _NO_ISOLATION,
    "hostPID": _NO_ISOLATION,
    "hostUsers": _NO_ISOLATION,
    "imagePullSecrets": _NO_IMAGES,
    "os": _NO_ISOLATION,
    "preemptionPolicy": "no pod is preempted",
    "resourceClaims": _NO_LIMITS,
    "resources": _NO_LIMITS,
    "runtimeClassName": _NO_ISOLATION,
    "securityContext": _NO_ISOLATION,
    "serviceAccount": _NO_ACCOUNTS,
    "serviceAccountName": _NO_ACCOUNTS,
    "shareProcessNamespace": _NO_ISOLATION,
    "volumes": _NO_VOLUMES,
}
"""Fields of a pod's spec."""

CONTAINER_FIELDS: Mapping[str, str] = {
    "imagePullPolicy": _NO_IMAGES,
    "resizePolicy": _NO_LIMITS,
    "securityContext": _NO_ISOLATION,
    "terminationMessagePath": _NO_ISOLATION,
    "terminationMessagePolicy": _NO_ISOLATION,
    "volumeDevices": _NO_VOLUMES,
    "volumeMounts": _NO_VOLUMES,
}
"""Fields of its containers."""

RESOURCES_FIELDS: Mapping[str, str] = {
    "claims": _NO_LIMITS,
    "limits": "containers have no limits; what they request counts for the scheduler",
}
"""Fields of a container's resources."""

JOB_FIELDS: Mapping[str, str] = {
    "backoffLimitPerIndex": _ONE_LIMIT,
    "managedBy": "there is one Job controller",
    "maxFailedIndexes": _ONE_LIMIT,
    "podFailurePolicy": _ONE_LIMIT,
    "podReplacementPolicy": "a pod is replaced as soon as it terminates",
    "successPolicy": "a Job is complete when enough of its pods have succeeded",
}
"""Fields of a Job's spec."""

KIND_NODE_FIELDS: Mapping[str, str] = {
    "extraMounts": "nodes share the machine's file system, read-only",
    "image": "nodes run no image",
    "kubeadmConfigPatches": "there is no kubeadm",
    "kubeadmConfigPatchesJSON6902": "there is no kubeadm",
}
"""Fields of the nodes of a cluster document."""

CLUSTER_FIELDS: Mapping[str, str] = {
    "containerdConfigPatches": "there is no containerd",
    "containerdConfigPatchesJSON6902": "there is no containerd",
    "featureGates": "the testbed has no feature gates",
    "kubeadmConfigPatches": "there is no kubeadm",
    "kubeadmConfigPatchesJSON6902": "there is no kubeadm",
    "runtimeConfig": "the testbed has no feature gates",
}

NETWORKING_FIELDS: Mapping[str, str] = {
    "disableDefaultCNI": "pods are always connected by the testbed's own network",
    "dnsSearch": "the testbed has its own DNS",
    "kubeProxyMode": "Services are flows in the nodes' switches",
}

_JOB_SPECS: Mapping[str, Path] = {"Job": ("spec",), "CronJob": ("spec", "jobTemplate", "spec")}
_CONTAINER_LISTS = ("initContainers", "containers")
_NO_EFFECT = "no effect here: "


def notices(documents: Iterable[Document]) -> tuple[Problem, ...]:
    """One notice for each kind or field without effect, where it stands first."""
    first: dict[str, Problem] = {}
    for document in documents:
        for word, path, reason in _ineffective(document.data):
            if word not in first:
                first[word] = document.problem(Finding(path, _NO_EFFECT + reason))
    return tuple(first.values())


Ineffective = tuple[str, Path, str]
"""What is counted once ("kind ConfigMap", "field volumes"), where, why."""


def _ineffective(data: Mapping[str, Any]) -> Iterator[Ineffective]:
    kind = data["kind"]
    if kind == "Cluster":
        yield from _fields(data, (), CLUSTER_FIELDS)
        yield from _fields(data, ("networking",), NETWORKING_FIELDS)
        for index in range(len(data.get("nodes", ()))):
            yield from _fields(data, ("nodes", index), KIND_NODE_FIELDS)
    elif kind not in EFFECTIVE_KINDS and not is_dns_config(data):
        yield f"kind {kind}", ("kind",), f"{kind} is kept and does nothing to the network"
    elif kind == "Ingress":
        yield from _annotations(data)
    elif path := pod_spec_path(kind):
        yield from _fields(data, path, POD_FIELDS)
        pod_spec = value_at(data, path) or {}
        for name in _CONTAINER_LISTS:
            for index in range(len(pod_spec.get(name, ()))):
                yield from _fields(data, (*path, name, index), CONTAINER_FIELDS)
                yield from _fields(data, (*path, name, index, "resources"), RESOURCES_FIELDS)
    if kind in _JOB_SPECS:
        yield from _fields(data, _JOB_SPECS[kind], JOB_FIELDS)


def _annotations(ingress: Mapping[str, Any]) -> Iterator[Ineffective]:
    for name in (ingress.get("metadata") or {}).get("annotations") or ():
        if name.startswith(ingress_annotations.PREFIX) and name not in ingress_annotations.FOLLOWED:
            words = sorted(each.removeprefix(ingress_annotations.PREFIX) for each in ingress_annotations.FOLLOWED)
            reason = f"of ingress-nginx's annotations there are {', '.join(words)}"
            yield f"annotation {name}", ("metadata", "annotations", name), reason


def _fields(data: Mapping[str, Any], place: Path, reasons: Mapping[str, str]) -> Iterator[Ineffective]:
    holder = value_at(data, place)
    if isinstance(holder, dict):
        for name in holder:
            if name in reasons and holder[name] != {}:  # an empty map asks for nothing
                yield f"field {name}", (*place, name), reasons[name]
