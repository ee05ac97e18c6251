"""Is the testbed in sync? Every component has realised the desired state, every pod is ready or has succeeded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.controllers.node_lifecycle import is_unreachable
from cluster.deletion import is_deleting
from cluster.objects import Object, name, namespace, ready

COMPONENTS = ("agent", "controller")
"""Who has to observe a revision before it counts as realised."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What keeps the testbed from being in sync: "Pod shop/web-0" or "controller", and why."""

    subject: str
    reason: str


def is_settled(pod: Mapping[str, Any]) -> bool:
    """Running and Ready, or Succeeded. Anything else, a failed or an unschedulable pod too, is still missing.

    A pod that terminates is missing until it has ended; what its finalizers wait for is not the testbed's.
    """
    if is_deleting(pod):
        return not pod["metadata"].get("deletionGracePeriodSeconds")
    phase = pod.get("status", {}).get("phase")
    return phase == "Succeeded" or (phase == "Running" and ready(pod))


def unsettled(pods: Iterable[Object], nodes: Iterable[Object] = ()) -> Iterator[Object]:
    """Pods that are not settled. Those on a node that is out of reach are not waited for: nobody is there to say
    more."""
    lost = {name(node) for node in nodes if is_unreachable(node)}
    return (pod for pod in pods if not is_settled(pod) and pod["spec"].get("nodeName") not in lost)


def missing_pod(pod: Object) -> Missing:
    return Missing(f"Pod {namespace(pod)}/{name(pod)}", unsettled_reason(pod))


def missing_components(observed: Mapping[str, int], revision: int) -> Sequence[Missing]:
    """The components that have not observed this revision."""
    behind = [component for component in COMPONENTS if observed.get(component, -1) < revision]
    return [Missing(component, _progress(observed.get(component), revision)) for component in behind]


def unsettled_reason(pod: Mapping[str, Any]) -> str:
    """Why a pod is not settled, from the most telling part of its status."""
    status = pod.get("status", {})
    if is_deleting(pod):
        return "terminating"
    conditions = {condition["type"]: condition for condition in status.get("conditions", ())}
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return str(scheduled.get("message", "not scheduled"))
    if not status.get("podIPs"):
        return f"not bound to a node of the cluster (nodeName: {pod['spec'].get('nodeName', 'none')})"
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        if reason := _container_reason(container):
            return f"container {container['name']}: {reason}"
    unready = conditions.get("Ready", {})
    detail = unready.get("message") or unready.get("reason") or "not Ready"
    return f"{status.get('phase', 'Pending')}, {detail}"


def _container_reason(container: Mapping[str, Any]) -> str:
    """What it waits for, and how its last run ended."""
    state = container.get("state", {})
    waiting = state.get("waiting") or {}
    reasons = [": ".join(part for part in (waiting.get("reason"), waiting.get("message")) if part)]
    ended = state.get("terminated") or container.get("lastState", {}).get("terminated") or {}
    if ended.get("exitCode") and (waiting or "terminated" in state):
        said = f": {ended['message']}" if ended.get("message") else ""
        reasons.append(f"exited with status {ended['exitCode']}{said}")
    return "; ".join(filter(None, reasons))


def _progress(observed: int | None, revision: int) -> str:
    return "has not reported yet" if observed is None else f"has realised revision {observed} of {revision}"
