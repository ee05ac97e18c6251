"""Small objects and clusters that the tests of the control plane are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cluster.config import resolve
from cluster.draft import Draft
from cluster.ipam import Allocator
from cluster.loops import put_given, settle
from cluster.model import Cluster
from cluster.nodes import initial_objects
from cluster.objects import Object, name, namespace


def cluster_document(workers: int = 2, ip_family: str = "ipv4", attachment: str = "auto") -> Object:
    """One control-plane node and some workers."""
    nodes: list[Object] = [{"role": "control-plane"}, *({"role": "worker"} for _ in range(workers))]
    return {
        "apiVersion": "mininetes.dev/v1alpha1",
        "kind": "Cluster",
        "nodes": nodes,
        "networking": {"ipFamily": ip_family},
        "network": {"attachment": attachment},
    }


def cluster(workers: int = 2, ip_family: str = "ipv4", attachment: str = "auto") -> Cluster:
    return resolve(cluster_document(workers, ip_family, attachment))


def pod_spec(**more: Any) -> Object:
    container = {"name": "main", "image": "pause", "ports": [{"name": "http", "containerPort": 8080}]}
    return {"containers": [container], **more}


def pod(pod_name: str, labels: Mapping[str, str] | None = None, **spec: Any) -> Object:
    metadata: Object = {"name": pod_name, "namespace": "default", "labels": dict(labels or {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(**spec)}


def workload(kind: str, owner_name: str, pod: Mapping[str, Any] | None = None, **spec: Any) -> Object:
    """A Deployment, StatefulSet … whose pods have the label app=<its name>; `pod` adds to the pod spec."""
    labels = {"app": owner_name}
    return {
        "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
        "kind": kind,
        "metadata": {"name": owner_name, "namespace": "default"},
        "spec": {
            **({} if kind == "Job" else {"selector": {"matchLabels": labels}}),
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(**(pod or {}))},
            **spec,
        },
    }


def service(service_name: str, **spec: Any) -> Object:
    """A Service for the pods with app=<its name>, port 80 to the port named http."""
    defaults = {"selector": {"app": service_name}, "ports": [{"port": 80, "targetPort": "http"}]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service_name, "namespace": "default"},
        "spec": {**defaults, **spec},
    }


def running(a_pod: Mapping[str, Any], is_ready: bool = True) -> Object:
    """What the agent says of a pod that runs."""
    condition = {"type": "Ready", "status": "True" if is_ready else "False"}
    return status_of(a_pod, {"phase": "Running", "conditions": [condition]})


def status_of(a_pod: Mapping[str, Any], status: Object) -> Object:
    return {
        "kind": a_pod["kind"],
        "namespace": namespace(a_pod),
        "name": name(a_pod),
        "uid": a_pod["metadata"]["uid"],
        "status": status,
    }


class Scratch:
    """A cluster without a store and without a DNS server of its own: a draft and the loops."""

    def __init__(self, a_cluster: Cluster, objects: Iterable[Object] = ()) -> None:
        self.cluster = a_cluster
        self.allocator = Allocator()
        self.draft = Draft({})
        self.draft.put_all(initial_objects(a_cluster, {}))
        put_given(self.draft, objects)
        self.settle()

    def settle(self) -> None:
        settle(self.draft, self.cluster, self.allocator)

    def pods(self) -> Sequence[Object]:
        return self.draft.objects("Pod")

    def pod_names(self) -> Sequence[str]:
        return [name(a_pod) for a_pod in self.pods()]
