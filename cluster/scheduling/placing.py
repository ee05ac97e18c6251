"""Unbound pods get a node, bound ones an address: the scheduler and the allocator at work on a draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster import conditions
from cluster.context import Context
from cluster.deletion import is_deleting
from cluster.draft import Key
from cluster.marks import ALL_UNBOUND
from cluster.objects import Object, name, namespace
from cluster.ownership import is_finished
from cluster.scheduling.ipam import addressed
from cluster.scheduling.scheduler import place

COMPONENT = "default-scheduler"
GATED = "Scheduling is blocked due to non-empty scheduling gates"


def in_turn(context: Context, keys: Sequence[Key]) -> Sequence[Key]:
    """The pods of higher priority first, among equals the older ones."""
    if ALL_UNBOUND in keys:
        keys = list(context.index.unbound)
    serial = context.index.serial
    waiting = [key for key in keys if (pod := context.live(key)) is not None and _waits_for_node(pod)]
    return sorted(waiting, key=lambda key: (-_priority(context.get(key) or {}), serial[key]))


def bind(context: Context, key: Key) -> None:
    """A node for an unbound pod, or the reason why it has none."""
    pod = context.live(key)
    if pod is None or not _waits_for_node(pod):
        return
    if pod["spec"].get("schedulingGates"):
        _put_condition(context, pod, "SchedulingGated", GATED)
        return
    placement = place(pod, context.index.seats)
    if placement.node is None:
        if _put_condition(context, pod, "Unschedulable", placement.message):
            context.event(pod, "Warning", "FailedScheduling", placement.message, COMPONENT)
        return
    context.draft.put(_with_address(context, {**pod, "spec": {**pod["spec"], "nodeName": placement.node}}))
    message = f"Successfully assigned {namespace(pod)}/{name(pod)} to {placement.node}"
    context.event(pod, "Normal", "Scheduled", message, COMPONENT)


def address(context: Context, key: Key) -> None:
    """Addresses for a bound pod that has none."""
    pod = context.get(key)
    if pod is None or is_finished(pod) or pod.get("status", {}).get("podIPs") or is_deleting(pod):
        return
    context.draft.put(_with_address(context, pod))


def _with_address(context: Context, pod: Object) -> Object:
    """A bound pod with its addresses; as it is if its node is not one of the cluster's."""
    node = context.cluster.node_by_name.get(pod["spec"].get("nodeName", ""))
    return pod if node is None else addressed(pod, node, context.cluster, context.index, context.draft.now)


def _put_condition(context: Context, pod: Object, reason: str, message: str) -> bool:
    """Say why a pod is not scheduled; True when that is new."""
    entry = conditions.condition("PodScheduled", "False", reason, message, context.draft.now)
    status = pod.get("status") or {}
    entries = conditions.merged(status.get("conditions") or (), entry)
    after = {"phase": "Pending", **status, "conditions": list(entries)}
    context.update_status(pod, after)
    return after != status


def _waits_for_node(pod: Mapping[str, Any]) -> bool:
    """Another scheduler's pods are that scheduler's to bind."""
    spec = pod["spec"]
    return (
        not spec.get("nodeName") and not is_finished(pod) and spec.get("schedulerName", COMPONENT) == COMPONENT
    )


def _priority(pod: Mapping[str, Any]) -> int:
    return int((pod.get("spec") or {}).get("priority") or 0)
