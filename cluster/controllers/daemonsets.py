"""DaemonSet: one pod on every node that it tolerates and selects; replaced node by node when the template changes.

As pkg/controller/daemon: the scheduler binds the pods, each of which has one node to choose from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.context import Context
from cluster.controllers import controller_revisions as revisions
from cluster.controllers.adoption import claim_pods
from cluster.controllers.availability import available
from cluster.controllers.pod_template import CONTROLLER_REVISION_HASH, pod, revision
from cluster.controllers.rollouts import amount
from cluster.deletion import is_deleting
from cluster.draft import Key
from cluster.objects import Object, name, namespace, ready
from cluster.ownership import is_finished
from cluster.scheduling.node_fit import daemon_fit
from cluster.well_known import NOT_READY_TAINT, UNREACHABLE_TAINT, UNSCHEDULABLE_TAINT

COMPONENT = "daemonset-controller"
GENERATION_ANNOTATION = "deprecated.daemonset.template.generation"
GENERATION_LABEL = "pod-template-generation"

# A daemon stays where others are driven away ("Taints and tolerations", Kubernetes' DaemonSet documentation).
_TOLERATED = (
    (NOT_READY_TAINT, "NoExecute"),
    (UNREACHABLE_TAINT, "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    (UNSCHEDULABLE_TAINT, "NoSchedule"),
)
_TOLERATED_ON_HOST_NETWORK = (("node.kubernetes.io/network-unavailable", "NoSchedule"),)


@dataclass(slots=True)
class _Set:
    """A DaemonSet, the hash of its template, its pods by node, and where one should be made or may stay."""

    obj: Object
    key: Key
    version: str
    pods: Mapping[str, Sequence[Object]]
    should_run: Sequence[str]
    may_stay: frozenset[str]
    available: frozenset[str]
    """Names of its pods that have been ready for long enough."""

    def new(self, node: str) -> Sequence[Object]:
        return [a_pod for a_pod in self.pods.get(node, ()) if revision(a_pod) == self.version]

    def old(self, node: str) -> Sequence[Object]:
        return [a_pod for a_pod in self.pods.get(node, ()) if revision(a_pod) != self.version]

    def is_available(self, a_pod: Object) -> bool:
        return name(a_pod) in self.available

    def limit(self, field: str, default: int) -> int:
        """maxUnavailable or maxSurge, in nodes."""
        rolling = (self.obj["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
        return amount(rolling.get(field, default), len(self.should_run), up=True)


def look(context: Context, key: Key) -> None:
    obj = context.get(key)
    if obj is None or is_deleting(obj):
        return
    newest = revisions.current(context, obj, CONTROLLER_REVISION_HASH)
    version = revisions.hash_of(newest, CONTROLLER_REVISION_HASH)
    _make_and_remove(context, _read(context, key, obj, version))
    if (obj["spec"].get("updateStrategy") or {}).get("type") != "OnDelete":
        _roll(context, _read(context, key, obj, version))
    the = _read(context, key, obj, version)
    _write_status(context, the)
    hashes = {revision(a_pod) for pods in the.pods.values() for a_pod in pods}
    used = {name(one) for one in revisions.history(context, obj) if revisions.hash_of(one, CONTROLLER_REVISION_HASH) in hashes}
    revisions.forget(context, obj, used | {name(newest)})


def target_node(a_pod: Mapping[str, Any]) -> str:
    """The node that a daemon pod is made for, or bound to; "" for a pod that names none."""
    if bound := a_pod["spec"].get("nodeName"):
        return str(bound)
    affinity = ((a_pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    for term in affinity.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field["key"] == "metadata.name" and field["operator"] == "In" and len(field["values"]) == 1:
                return str(field["values"][0])
    return ""


def _read(context: Context, key: Key, obj: Object, version: str) -> _Set:
    pods: dict[str, list[Object]] = defaultdict(list)
    for a_pod in claim_pods(context, obj):
        # One that goes and has ended does not hold its place; one that goes and runs does.
        if not (is_deleting(a_pod) and is_finished(a_pod)):
            pods[target_node(a_pod)].append(a_pod)
    template = obj["spec"]["template"]["spec"]
    spec = {**template, "tolerations": _tolerations(template)}
    fits = {name(node): daemon_fit(spec, node) for node in context.draft.objects("Node")}
    min_ready_s = obj["spec"].get("minReadySeconds") or 0
    everything = [a_pod for some in pods.values() for a_pod in some if not is_deleting(a_pod)]
    return _Set(
        obj,
        key,
        version,
        pods,
        [node for node, (should_run, _) in fits.items() if should_run],
        frozenset(node for node, (_, may_stay) in fits.items() if may_stay),
        frozenset(map(name, available(everything, min_ready_s, context, key))),
    )


def _make_and_remove(context: Context, the: _Set) -> None:
    for node in the.should_run:
        pods = [a_pod for a_pod in the.pods.get(node, ()) if not is_deleting(a_pod)]
        failed = [a_pod for a_pod in pods if is_finished(a_pod)]
        for a_pod in failed:
            message = f"Found failed daemon pod {namespace(a_pod)}/{name(a_pod)} on node {node}, will try to kill it"
            context.event(the.obj, "Warning", "FailedDaemonPod", message, COMPONENT)
            _delete(context, the, a_pod)
        running = [a_pod for a_pod in pods if not is_finished(a_pod)]
        if not the.pods.get(node) or (failed and not running):
            _make(context, the, node)
        _remove_surplus(context, the, running)
    for node, some in the.pods.items():
        if node not in the.should_run and node not in the.may_stay:
            for a_pod in some:
                if not is_deleting(a_pod):
                    _delete(context, the, a_pod)


def _remove_surplus(context: Context, the: _Set, running: Sequence[Object]) -> None:
    """One pod stays; with a surge, the old one until the new one is available."""
    if len(running) < 2:
        return
    if the.limit("maxSurge", 0):
        new = [a_pod for a_pod in running if revision(a_pod) == the.version]
        old = [a_pod for a_pod in running if revision(a_pod) != the.version]
        surplus = new[1:] + (old if any(map(the.is_available, new)) else old[1:])
    else:
        surplus = list(running[1:])
    for a_pod in surplus:
        _delete(context, the, a_pod)


def _roll(context: Context, the: _Set) -> None:
    """Replace pods of an older template, within maxUnavailable and maxSurge."""
    surge = the.limit("maxSurge", 0)
    unavailable, surging = 0, 0
    at_once: list[str] = []
    in_turn: list[str] = []
    for node in the.should_run:
        new = [a_pod for a_pod in the.new(node) if not is_deleting(a_pod)]
        old = [a_pod for a_pod in the.old(node) if not is_deleting(a_pod)]
        surging += bool(new and old)
        unavailable += not any(map(the.is_available, (*new, *old)))
        if old and not new:
            (in_turn if any(map(the.is_available, old)) else at_once).append(node)
    if surge:
        for node in [*at_once, *in_turn][: max(0, surge - surging)]:
            _make(context, the, node)
        return
    room = max(0, max(1, the.limit("maxUnavailable", 1)) - unavailable)
    for node in [*at_once, *in_turn[:room]]:
        for a_pod in the.old(node):
            if not is_deleting(a_pod):
                _delete(context, the, a_pod)


def _make(context: Context, the: _Set, node: str) -> None:
    made = context.create(_pod(context, the, node))
    if made is not None:
        context.event(the.obj, "Normal", "SuccessfulCreate", f"Created pod: {name(made)}", COMPONENT)


def _delete(context: Context, the: _Set, a_pod: Object) -> None:
    context.event(the.obj, "Normal", "SuccessfulDelete", f"Deleted pod: {name(a_pod)}", COMPONENT)
    context.delete(a_pod)


def _pod(context: Context, the: _Set, node: str) -> Object:
    spec = the.obj["spec"]["template"]["spec"]
    affinity = spec.get("affinity") or {}
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    # "This replaces the node affinity terms" of the template, which were obeyed in choosing the node.
    node_affinity = {"requiredDuringSchedulingIgnoredDuringExecution": required}
    bound = {"tolerations": _tolerations(spec), "affinity": {**affinity, "nodeAffinity": node_affinity}}
    labels = {CONTROLLER_REVISION_HASH: the.version}
    if generation := (the.obj["metadata"].get("annotations") or {}).get(GENERATION_ANNOTATION):
        labels[GENERATION_LABEL] = generation
    fresh = context.fresh_name("Pod", namespace(the.obj), f"{name(the.obj)}-")
    return pod(the.obj, fresh, labels, bound)


def _tolerations(spec: Mapping[str, Any]) -> Sequence[Object]:
    tolerated = _TOLERATED + (_TOLERATED_ON_HOST_NETWORK if spec.get("hostNetwork") else ())
    added = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in tolerated]
    given = list(spec.get("tolerations") or ())
    return [*given, *(toleration for toleration in added if toleration not in given)]


def _write_status(context: Context, the: _Set) -> None:
    scheduled = [node for node in the.should_run if the.pods.get(node)]
    misscheduled = [node for node, pods in the.pods.items() if node not in the.should_run and pods]
    updated = [node for node in scheduled if the.new(node)]
    is_ready = [any(ready(a_pod) and not is_deleting(a_pod) for a_pod in the.pods[node]) for node in scheduled]
    available_now = [node for node in scheduled if any(map(the.is_available, the.pods[node]))]
    unavailable = len(the.should_run) - len(available_now)
    status: Object = {
        "currentNumberScheduled": len(scheduled),
        "desiredNumberScheduled": len(the.should_run),
        "numberMisscheduled": len(misscheduled),
        "numberReady": sum(is_ready),
        "observedGeneration": the.obj["metadata"].get("generation", 1),
    }
    counts = {
        "updatedNumberScheduled": len(updated),
        "numberAvailable": len(available_now),
        "numberUnavailable": unavailable,
    }
    status |= {field: count for field, count in counts.items() if count}
    context.update_status(context.get(the.key) or the.obj, status)
