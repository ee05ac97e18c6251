"""An object as it was given -> as it is stored: Kubernetes' defaults, and what the cluster decided before.

The defaults are data (`default_tables`); here they are filled in, and what only a new object is given is added.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import is_
from typing import Any

from cluster import kinds, names
from cluster.default_tables import DEFAULTS, Default
from cluster.objects import ATTACHMENT_ANNOTATION, Object
from cluster.templates import TEMPLATE_PATHS, value_at
from cluster.well_known import JOB_NAME_LABEL, JOB_UID_LABEL, NAMESPACE_NAME_LABEL

_SERVICE_KEPT = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
_ITEMS = "*"
_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_TOKEN_EXPIRATION_S = 3607
_MODE = 0o644
_CONTAINER_LISTS = ("initContainers", "containers")
_NEW_STATUS: Mapping[str, Object] = {
    "Ingress": {"loadBalancer": {}},
    "PersistentVolume": {"phase": "Pending"},
    "PersistentVolumeClaim": {"phase": "Pending"},
    "Service": {"loadBalancer": {}},
}
_LABELLED_BY_TEMPLATE = ("Job", "ReplicationController")


def complete(given: Object, stored: Object | None, uid: str = "") -> Object:
    """The object to store in place of `stored` (None: there is none yet). `given` stays as it is.

    The status is the cluster's, never the user's; and so are the node of a bound Pod and the addresses of a
    Service where the manifest names none, so that applying a manifest again changes nothing. `uid`: the one that a new
    object is going to have (`Draft.next_uid`); a Job's selector is made of it.
    """
    obj = {field: value for field, value in given.items() if field != "status"}
    obj["metadata"] = _metadata(given, stored)
    obj = defaulted(obj)
    if stored is None:
        return new_object(obj, uid)
    if obj["kind"] == "Pod":
        obj = new_pod(obj)
    if "status" in stored:
        obj["status"] = stored["status"]
    if obj["kind"] == "Service" and obj["spec"]["type"] != "ExternalName":
        obj["spec"] = {**kept_addresses(obj["spec"], stored["spec"]), **obj["spec"]}
    if obj["kind"] == "Pod" and "nodeName" in stored["spec"]:
        obj["spec"] = {**obj["spec"], "nodeName": stored["spec"]["nodeName"]}
    return obj


def defaulted(obj: Object) -> Object:
    """The object with the defaults of its kind; again, and nothing changes."""
    kind = str(obj["kind"])
    filled: Object = _fill(obj if "spec" in obj or not _has_spec(kind) else {**obj, "spec": {}}, _tree(kind))
    if template := TEMPLATE_PATHS.get(kind):
        filled = _with_host_ports(filled, template)
    elif kind == "Pod":
        filled = _with_host_ports(filled, ())
    elif kind == "Namespace":
        filled = _labelled(filled, {NAMESPACE_NAME_LABEL: filled["metadata"]["name"]})
    elif kind == "Secret":
        filled = _with_string_data(filled)
    if kind in _LABELLED_BY_TEMPLATE and not filled["metadata"].get("labels"):
        labels = value_at(filled, ("spec", "template", "metadata", "labels"))
        filled = _labelled(filled, labels) if labels else filled
    return filled


def new_object(obj: Object, uid: str) -> Object:
    """An object to be created, complete already, with what Kubernetes' strategies add to one of its kind."""
    kind = obj["kind"]
    if kind == "Pod":
        return new_pod(obj)
    if kind == "Job" and uid:
        return _new_job(obj, uid)
    if kind == "Namespace":
        return {**obj, "spec": {"finalizers": ["kubernetes"], **(obj.get("spec") or {})}, "status": {"phase": "Active"}}
    if status := _NEW_STATUS.get(str(kind)):
        return {"status": status, **obj}
    return obj


def _new_job(job: Object, uid: str) -> Object:
    """The selector that makes its pods its own (pkg/registry/batch/job/strategy.go, generateSelector)."""
    spec, template = job["spec"], job["spec"].get("template") or {}
    if spec.get("manualSelector"):
        return job
    name, meta = job["metadata"]["name"], template.get("metadata") or {}
    labels = {
        JOB_UID_LABEL: uid,
        JOB_NAME_LABEL: name,
        "controller-uid": uid,
        "job-name": name,
    }
    selector = {"matchLabels": {JOB_UID_LABEL: uid}}
    template = {**template, "metadata": {**meta, "labels": {**(meta.get("labels") or {}), **labels}}}
    return {**job, "spec": {"selector": selector, **spec, "template": template}}


def new_pod(pod: Object) -> Object:
    """A Pod to be created, with what the admission plugins ServiceAccount and Priority add, and the status that the pod
    strategy gives it; again, and nothing changes."""
    spec = {"priority": 0, "preemptionPolicy": "PreemptLowerPriority", **pod["spec"]}
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    if spec.get("automountServiceAccountToken") is not False:
        spec = _with_token(spec, pod["metadata"])
    status = {"phase": "Pending", "qosClass": qos_class(spec), **pod.get("status", {})}
    return {**pod, "spec": spec, "status": status}


def qos_class(spec: Mapping[str, Any]) -> str:
    """pkg/apis/core/v1/helper/qos: by what the containers ask of cpu and memory."""
    guaranteed, asked = True, False
    for container in _containers(spec):
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        for name in ("cpu", "memory"):
            asked |= name in limits or name in requests
            guaranteed &= name in limits and requests.get(name, limits[name]) == limits[name]
    if not asked:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _metadata(given: Object, stored: Object | None) -> Object:
    metadata: Object = dict(given["metadata"])
    if kinds.namespaced(str(given["kind"])):
        metadata.setdefault("namespace", "default")
    if stored is not None:
        attachment = (stored["metadata"].get("annotations") or {}).get(ATTACHMENT_ANNOTATION)
        if attachment is not None:
            metadata["annotations"] = {**(metadata.get("annotations") or {}), ATTACHMENT_ANNOTATION: attachment}
        if "ownerReferences" in stored["metadata"]:
            metadata.setdefault("ownerReferences", stored["metadata"]["ownerReferences"])
    return metadata


@dataclass(slots=True)
class _Node:
    """The defaults of one map, and the tables of what is in it."""

    fills: list[tuple[str, Default]] = field(default_factory=list)
    below: dict[str, _Node] = field(default_factory=dict)


@cache
def _has_spec(kind: str) -> bool:
    """In Go a spec is no pointer, so an object that was written without one has an empty one."""
    definitions, names = kinds.definitions()["$defs"], kinds.definition_names()
    return any("spec" in definitions[name].get("properties", {}) for (_, one), name in names.items() if one == kind)


@cache
def _tree(kind: str) -> _Node:
    root = _Node()
    for default in DEFAULTS.get(kind, ()):
        *path, name = default.path.split(".")
        node = root
        for step in path:
            node = node.below.setdefault(step, _Node())
        node.fills.append((name, default))
    return root


_ABSENT: tuple[Any, ...] = (None, "", [])
"""What Go does not tell from a field that is not there."""


def _fill(value: Any, node: _Node) -> Any:
    """With defaults; what lacks none is not copied, so that the pods of one template share most of it."""
    if not isinstance(value, dict):
        return value
    filled = value
    for name, default in node.fills:
        present = filled.get(name)
        if (name in filled and present not in _ABSENT) and not (default.zero and present == 0):
            continue
        if default.when and filled.get(default.when[0]) not in default.when[1]:
            continue
        chosen = default.value(filled) if callable(default.value) else default.value
        if chosen is not None:
            filled = {**filled, name: chosen}
    for name, below in node.below.items():
        if name in filled and (inner := _fill_below(filled[name], below)) is not filled[name]:
            filled = {**filled, name: inner}
    return filled


def _fill_below(value: Any, node: _Node) -> Any:
    if not isinstance(value, list):
        return _fill(value, node)
    items = node.below.get(_ITEMS)
    if not items:
        return value
    filled = [_fill(item, items) for item in value]
    return value if all(map(is_, filled, value)) else filled


def _containers(spec: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [container for name in _CONTAINER_LISTS for container in spec.get(name) or ()]


def _with_host_ports(obj: Object, path: Sequence[str | int]) -> Object:
    """ "If HostNetwork is specified, [hostPort] must match ContainerPort": so that is its default."""
    spec = value_at(obj, (*path, "spec"))
    if not isinstance(spec, dict) or not spec.get("hostNetwork"):
        return obj
    replaced = {
        name: [
            {**container, "ports": [{"hostPort": port["containerPort"], **port} for port in container["ports"]]}
            if container.get("ports")
            else container
            for container in spec[name]
        ]
        for name in _CONTAINER_LISTS
        if name in spec
    }
    return _replaced(obj, [*path, "spec"], {**spec, **replaced})


def _replaced(obj: Object, path: Sequence[str | int], value: Any) -> Object:
    head = str(path[0])
    return {**obj, head: _replaced(obj[head], path[1:], value) if len(path) > 1 else value}


def _labelled(obj: Object, labels: Mapping[str, str]) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "labels": {**(obj["metadata"].get("labels") or {}), **labels}}}


def _with_string_data(secret: Object) -> Object:
    """ "stringData … is merged into the data field on write, overwriting any existing values"."""
    text = secret.get("stringData")
    if text is None:
        return secret
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in text.items()}
    kept = {name: value for name, value in secret.items() if name != "stringData"}
    return {**kept, "data": {**(secret.get("data") or {}), **encoded}}


def _with_token(spec: Object, metadata: Mapping[str, Any]) -> Object:
    """The projected volume of the service account's token, mounted where no container mounts something else."""
    volume = "kube-api-access-" + names.suffix("token", metadata.get("namespace"), metadata.get("name"))
    spec = dict(spec)
    needed = False
    for name in _CONTAINER_LISTS:
        if name not in spec:
            continue
        mounted = []
        for container in spec[name]:
            mounts = container.get("volumeMounts") or []
            if not any(mount.get("mountPath") == _TOKEN_PATH for mount in mounts):
                mount = {"name": volume, "readOnly": True, "mountPath": _TOKEN_PATH}
                container, needed = {**container, "volumeMounts": [*mounts, mount]}, True
            mounted.append(container)
        spec[name] = mounted
    if needed:
        spec["volumes"] = [*(spec.get("volumes") or ()), {"name": volume, "projected": _token_sources()}]
    return spec


@cache
def _token_sources() -> Object:
    """plugin/pkg/admission/serviceaccount, TokenVolumeSource."""
    field_ref = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    return {
        "defaultMode": _MODE,
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": _TOKEN_EXPIRATION_S, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field_ref}]}},
        ],
    }


def kept_addresses(given: Mapping[str, Any], stored: Mapping[str, Any]) -> Object:
    """What a Service keeps of its allocation where the manifest says nothing about it.

    Everything, unless the manifest changes a part; then only the first address, if its family may stay.
    """
    kept = {field: stored[field] for field in _SERVICE_KEPT if field in stored}
    if all(given.get(field, value) == value for field, value in kept.items()):
        return kept
    families = given.get("ipFamilies") or stored.get("ipFamilies")
    same_family = families and families[:1] == stored.get("ipFamilies", [])[:1]
    names_address = "clusterIP" in given or "clusterIPs" in given
    return {"clusterIP": kept["clusterIP"]} if same_family and not names_address and "clusterIP" in kept else {}
