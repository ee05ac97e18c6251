"""An object as it was given -> as it is stored: Kubernetes' defaults, and what the cluster decided before.

Only the defaults that change what the network or the agent does (k8s.io/kubernetes/pkg/apis/*/v1/defaults.go).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cluster.kinds import namespaced
from cluster.objects import ATTACHMENT_ANNOTATION, Object

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_SERVICE_KEPT = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def complete(given: Object, stored: Object | None) -> Object:
    """The object to store in place of `stored` (None: there is none yet). `given` stays as it is.

    The status is the cluster's, never the user's; and so are the node of a bound Pod and the addresses of a
    Service where the manifest names none, so that applying a manifest again changes nothing.
    """
    obj = {field: value for field, value in given.items() if field != "status"}
    obj["metadata"] = _metadata(given, stored)
    if fill := _FILL.get(str(given["kind"])):
        obj["spec"] = fill(given.get("spec") or {})
    if stored is None:
        return obj
    if "status" in stored:
        obj["status"] = stored["status"]
    if obj["kind"] == "Service" and obj["spec"]["type"] != "ExternalName":
        obj["spec"] = {**_kept_addresses(obj["spec"], stored["spec"]), **obj["spec"]}
    if obj["kind"] == "Pod" and "nodeName" in stored["spec"]:
        obj["spec"] = {**obj["spec"], "nodeName": stored["spec"]["nodeName"]}
    return obj


def pod_spec(spec: Mapping[str, Any]) -> Object:
    """A PodSpec with its defaults."""
    filled: Object = {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "terminationGracePeriodSeconds": 30,
        **spec,
    }
    on_host = bool(spec.get("hostNetwork"))
    for field in ("initContainers", "containers"):
        if field in spec:
            filled[field] = [_container(container, on_host) for container in spec[field]]
    return filled


def _metadata(given: Object, stored: Object | None) -> Object:
    metadata: Object = dict(given["metadata"])
    if namespaced(str(given["kind"])):
        metadata.setdefault("namespace", "default")
    if given["kind"] == "Namespace":
        name_label = {"kubernetes.io/metadata.name": metadata["name"]}
        metadata["labels"] = {**(metadata.get("labels") or {}), **name_label}
    if stored is not None:
        attachment = (stored["metadata"].get("annotations") or {}).get(ATTACHMENT_ANNOTATION)
        if attachment is not None:
            metadata["annotations"] = {**(metadata.get("annotations") or {}), ATTACHMENT_ANNOTATION: attachment}
        if "ownerReferences" in stored["metadata"]:
            metadata.setdefault("ownerReferences", stored["metadata"]["ownerReferences"])
    return metadata


def _container(container: Mapping[str, Any], on_host: bool) -> Object:
    filled = dict(container)
    if "ports" in container:
        filled["ports"] = [_container_port(port, on_host) for port in container["ports"]]
    for field in _PROBES:
        if field in container:
            filled[field] = _probe(container[field])
    return filled


def _container_port(port: Mapping[str, Any], on_host: bool) -> Object:
    # "If HostNetwork is specified, [hostPort] must match ContainerPort."
    host_port = {"hostPort": port["containerPort"]} if on_host else {}
    return {"protocol": "TCP", **host_port, **port}


def _probe(probe: Mapping[str, Any]) -> Object:
    filled: Object = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3, **probe}
    if "httpGet" in probe:
        filled["httpGet"] = {"path": "/", "scheme": "HTTP", **probe["httpGet"]}
    return filled


def _service_spec(spec: Mapping[str, Any]) -> Object:
    filled: Object = {"type": "ClusterIP", "sessionAffinity": "None", **spec}
    if filled["type"] != "ExternalName":
        filled.setdefault("internalTrafficPolicy", "Cluster")
    if filled["type"] in ("NodePort", "LoadBalancer"):
        filled.setdefault("externalTrafficPolicy", "Cluster")
    if "ports" in spec:
        filled["ports"] = [{"protocol": "TCP", "targetPort": port["port"], **port} for port in spec["ports"]]
    return filled


def _kept_addresses(given: Mapping[str, Any], stored: Mapping[str, Any]) -> Object:
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


def _template(template: Mapping[str, Any]) -> Object:
    return {**template, "spec": pod_spec(template.get("spec") or {})}


def _workload_spec(spec: Mapping[str, Any]) -> Object:
    return {**spec, "template": _template(spec.get("template") or {})}


def _replicated_spec(spec: Mapping[str, Any]) -> Object:
    return {"replicas": 1, **_workload_spec(spec)}


def _replication_controller_spec(spec: Mapping[str, Any]) -> Object:
    filled = _replicated_spec(spec)
    # "Selector … If empty, the labels of the Pod template are used."
    filled.setdefault("selector", (filled["template"].get("metadata") or {}).get("labels") or {})
    return filled


def _job_spec(spec: Mapping[str, Any]) -> Object:
    filled: Object = {"parallelism": 1, "backoffLimit": 6, **_workload_spec(spec)}
    if "completions" not in spec and "parallelism" not in spec:
        filled["completions"] = 1
    return filled


_FILL: Mapping[str, Callable[[Mapping[str, Any]], Object]] = {
    "Pod": pod_spec,
    "Service": _service_spec,
    "Deployment": _replicated_spec,
    "ReplicaSet": _replicated_spec,
    "ReplicationController": _replication_controller_spec,
    "StatefulSet": _replicated_spec,
    "DaemonSet": _workload_spec,
    "Job": _job_spec,
}
