"""Nodes that fall silent, and what becomes of their pods (pkg/controller/nodelifecycle, tainteviction).

A node that gives no sign of life for the grace period is NotReady and tainted NoExecute; its pods go when they do not
tolerate that, or no longer. A node from which nothing was ever heard has no Lease, and is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster import conditions, deletion
from cluster.conditions import Verdict
from cluster.context import Context
from cluster.deletion import DeleteOptions
from cluster.draft import Key
from cluster.objects import Object, name, namespace, ready
from cluster.scheduling.node_fit import toleration_of
from cluster.times import micro_timestamp, seconds
from cluster.well_known import NOT_READY_TAINT, UNREACHABLE_TAINT, UNSCHEDULABLE_TAINT

COMPONENT = "node-controller"
EVICTION_COMPONENT = "taint-eviction-controller"
FULL_DISRUPTION = 10
"""So many times longer may all nodes together be silent (there, evictions stop in a zone without a ready node)."""
LEASE_NAMESPACE = "kube-node-lease"
LEASE_DURATION_S = 40
LEASE_RENEWAL_S = 10
"""The Lease is written so often; signs of life come more often and are kept in memory."""

_PRESSURES = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


def look(context: Context, key: Key) -> None:
    node = context.live(key)
    if node is None:
        return
    node = _cordoned(context, node)
    lease = context.get(("Lease", LEASE_NAMESPACE, key[2]))
    heard = context.heard.get(key[2])
    if heard is None and lease is None:
        return
    grace_s = context.cluster.node_grace_s
    if heard is not None and context.now < heard + grace_s:
        context.wake(heard + grace_s, key)
        _alive(context, node, lease, heard)
        return
    last = max(context.heard.values(), default=0.0)
    if last + grace_s <= context.now < last + grace_s * FULL_DISRUPTION:
        # All at once: it is the agent that is silent, one for all of them, and their pods run on.
        context.wake(last + grace_s * FULL_DISRUPTION, key)
        return
    _silent(context, node)


def evict(context: Context, key: Key) -> None:
    """Delete a pod that does not tolerate its node's NoExecute taints, or when it no longer does."""
    pod = context.live(key)
    if pod is None:
        return
    node_name = pod["spec"].get("nodeName", "")
    node = context.get(("Node", "", node_name))
    if node is None:
        if node_name in context.cluster.node_by_name:
            # As podgc does with the pods of a node that was deleted: nobody is left to end them.
            deletion.delete(context.draft, key, DeleteOptions(grace_period_s=0))
        return
    end = _end_of_tolerance(context, pod, node)
    if end is None:
        return
    if context.now < end:
        context.wake(end, key)
        return
    message = f"Marking for deletion Pod {namespace(pod)}/{name(pod)}"
    context.event(pod, "Normal", "TaintManagerEviction", message, EVICTION_COMPONENT)
    context.delete(pod)


def _end_of_tolerance(context: Context, pod: Object, node: Object) -> float | None:
    """When the pod has to go; None: never."""
    ends = []
    for taint in node["spec"].get("taints") or ():
        if taint["effect"] != "NoExecute":
            continue
        toleration = toleration_of(pod["spec"].get("tolerations") or (), taint)
        if toleration is None:
            return context.now
        if (limit_s := toleration.get("tolerationSeconds")) is not None:
            ends.append(seconds(taint.get("timeAdded") or context.draft.now) + limit_s)
    return min(ends) if ends else None


def _alive(context: Context, node: Object, lease: Object | None, heard: float) -> None:
    if lease is None or seconds(lease["spec"]["renewTime"]) + LEASE_RENEWAL_S <= heard:
        context.draft.put_status(_lease(node, lease, heard))
    for type, reason, message in _PRESSURES:
        node = _with_condition(context, node, type, "False", reason, message)
    if not conditions.is_true(node, "Ready"):
        node = _with_condition(context, node, "Ready", "True", "KubeletReady", "kubelet is posting ready status")
        _tell(context, node, "NodeReady")
    _put_taints(context, node, [NOT_READY_TAINT, UNREACHABLE_TAINT], [])


def _silent(context: Context, node: Object) -> None:
    if conditions.is_true(node, "Ready") or conditions.find(node, "Ready") is None:
        message = "Kubelet stopped posting node status."
        for type in (*(type for type, _, _ in _PRESSURES), "Ready"):
            node = _with_condition(context, node, type, "Unknown", "NodeStatusUnknown", message)
        _tell(context, node, "NodeNotReady")
    now = context.draft.now
    effects = ("NoSchedule", "NoExecute")
    taints = [{"key": UNREACHABLE_TAINT, "effect": effect, "timeAdded": now} for effect in effects]
    _put_taints(context, node, [NOT_READY_TAINT], taints)
    for pod in context.get_all(context.index.pods_on(name(node))):
        if ready(pod):
            _unready(context, pod)


def _unready(context: Context, pod: Object) -> None:
    """Its endpoints must not be used: nobody else is there to say that it is not ready (MarkPodsNotReady)."""
    now = context.draft.now
    entries: Sequence[Object] = [
        {**entry, "status": "False", "lastTransitionTime": now} if entry["type"] == "Ready" else entry
        for entry in pod["status"]["conditions"]
    ]
    context.draft.put_status({**pod, "status": {**pod["status"], "conditions": list(entries)}})
    context.event(pod, "Warning", "NodeNotReady", "Node is not ready", COMPONENT)


def _cordoned(context: Context, node: Object) -> Object:
    """The taint that `spec.unschedulable` stands for."""
    taint = {"key": UNSCHEDULABLE_TAINT, "effect": "NoSchedule", "timeAdded": context.draft.now}
    wanted = [taint] if node["spec"].get("unschedulable") else []
    return _put_taints(context, node, [] if wanted else [UNSCHEDULABLE_TAINT], wanted)


def _put_taints(context: Context, node: Object, gone: Sequence[str], wanted: Sequence[Object]) -> Object:
    """Remove the taints with these keys, and add those that are not there yet."""
    before = node["spec"].get("taints") or []
    kept = [taint for taint in before if taint["key"] not in gone]
    present = {(taint["key"], taint["effect"]) for taint in kept}
    after = [*kept, *(taint for taint in wanted if (taint["key"], taint["effect"]) not in present)]
    if after == before:
        return node
    spec = {field: value for field, value in node["spec"].items() if field != "taints"}
    return context.draft.put({**node, "spec": {**spec, **({"taints": after} if after else {})}})


def _with_condition(
    context: Context, node: Object, type: str, verdict: Verdict, reason: str, message: str
) -> Object:
    now = context.draft.now
    entry = conditions.condition(type, verdict, reason, message, now, lastHeartbeatTime=now)
    status = node.get("status") or {}
    entries = conditions.merged(status.get("conditions") or (), entry)
    return context.update_status(node, {**status, "conditions": list(entries)})


def _tell(context: Context, node: Mapping[str, Any], reason: str) -> None:
    message = f"Node {name(node)} status is now: {reason}"
    # About a node, the uid in the reference is its name (kubelet and node controller both write it so).
    involved = {"kind": "Node", "name": name(node), "uid": name(node), "apiVersion": "v1"}
    context.event(involved, "Normal", reason, message, COMPONENT)


def _lease(node: Object, lease: Object | None, heard: float) -> Object:
    owner = {"apiVersion": "v1", "kind": "Node", "name": name(node), "uid": node["metadata"]["uid"]}
    metadata = {"name": name(node), "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata if lease is None else lease["metadata"],
        "spec": {
            "holderIdentity": name(node),
            "leaseDurationSeconds": LEASE_DURATION_S,
            "renewTime": micro_timestamp(heard),
        },
    }


def is_unreachable(node: Mapping[str, Any]) -> bool:
    """Whether nobody on this node can say what becomes of its pods."""
    return any(taint["key"] == UNREACHABLE_TAINT for taint in node["spec"].get("taints") or ())

