"""Small objects and clusters that the tests of the control plane are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cluster.deletion import DeleteOptions, delete, ended, is_deleting
from cluster.draft import Draft, key_of
from cluster.loop_queue import Loops
from cluster.loops import put_given
from cluster.machine import Machine
from cluster.model import Cluster
from cluster.nodes import initial_objects
from cluster.objects import Object, name, namespace, ready
from cluster.reading.config import resolve
from cluster.times import seconds, timestamp

MACHINE = Machine({"cpu": "8", "memory": "16Gi"}, {"cpu": "8", "memory": "15Gi"}, {"architecture": "amd64"})
NOW = "2024-01-01T00:00:00Z"


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
    """A cluster without a store and without a DNS server of its own: a draft, the loops, and an agent without delay."""

    def __init__(self, a_cluster: Cluster, objects: Iterable[Object] = ()) -> None:
        self.cluster = a_cluster
        self.heard: dict[str, float] = {}
        self.draft = Draft({}, now=NOW)
        self.draft.put_all(initial_objects(a_cluster, {}, MACHINE))
        put_given(self.draft, objects, a_cluster)
        self.restart()
        self.settle()

    def restart(self) -> None:
        """Loops that know nothing but the objects."""
        loops = self.loops = Loops(self.cluster, self.draft, self.heard)
        self.draft.listener = lambda key, old, new: loops.observe(self.draft, key, old, new)

    def settle(self) -> None:
        """Run the loops, and end the pods that they told to end."""
        self.run()
        while terminating := [a_pod for a_pod in self.pods() if is_deleting(a_pod) and not _has_ended(a_pod)]:
            for a_pod in terminating:
                ended(self.draft, key_of(a_pod), a_pod["metadata"]["uid"])
            self.run()

    def run(self) -> None:
        """Run the loops only."""
        self.loops.run(self.draft, self.now())

    def now(self) -> float:
        return seconds(self.draft.now)

    def wait(self, passed_s: float) -> None:
        """Let time pass, with all that becomes due meanwhile."""
        end = self.now() + passed_s
        while (due := self.loops.next_due()) is not None and due <= end:
            self.draft.now = timestamp(max(self.now(), math.ceil(due)))
            self.settle()
        self.draft.now = timestamp(end)
        self.settle()

    def one(self, kind: str, its_name: str, in_namespace: str = "default") -> Object:
        """The object, which must be there."""
        found = self.draft.get((kind, in_namespace, its_name))
        assert found is not None, f"there is no {kind} {its_name}"
        return found

    def delete(self, obj: Mapping[str, Any], options: DeleteOptions | None = None) -> None:
        """As an API request would."""
        delete(self.draft, key_of(obj), options or DeleteOptions())
        self.settle()

    def report(self, a_pod: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        """What the agent says of a pod."""
        self.draft.merge_status(key_of(a_pod), a_pod["metadata"]["uid"], status)
        self.settle()

    def make_ready(self, *pods: Mapping[str, Any]) -> None:
        """Until all these are ready; without any, until all there are, and those that follow."""
        while unready := [a_pod for a_pod in pods or self.pods() if not ready(a_pod) and is_bound(a_pod)]:
            for a_pod in unready:
                self.report(a_pod, ready_status(a_pod, self.draft.now))
            if pods:
                return

    def events(self, reason: str) -> list[str]:
        """The messages of the Events with this reason."""
        return [event["message"] for event in self.draft.objects("Event") if event["reason"] == reason]

    def pods(self) -> Sequence[Object]:
        return self.draft.objects("Pod")

    def pod_names(self) -> Sequence[str]:
        return [name(a_pod) for a_pod in self.pods()]


def is_bound(a_pod: Mapping[str, Any]) -> bool:
    """Bound, and not finished."""
    status = a_pod.get("status", {})
    return bool(status.get("podIPs")) and status.get("phase") not in ("Succeeded", "Failed")


def ready_status(a_pod: Mapping[str, Any], now: str) -> Object:
    """The status of a pod that has become ready now; other components' conditions stay."""
    others = [entry for entry in a_pod.get("status", {}).get("conditions", ()) if entry["type"] != "Ready"]
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": now}
    return {"phase": "Running", "conditions": [*others, condition]}


def _has_ended(a_pod: Mapping[str, Any]) -> bool:
    """It waits for finalizers only."""
    return not a_pod["metadata"].get("deletionGracePeriodSeconds")
