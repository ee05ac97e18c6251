"""ReplicaSet and ReplicationController: so many pods of one template, whichever they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cluster.context import Context
from cluster.controllers.adoption import claim_pods, is_active
from cluster.controllers.availability import available, ready_since
from cluster.controllers.pod_template import pod
from cluster.deletion import is_deleting
from cluster.draft import Key
from cluster.objects import Object, annotation, labels, name, namespace, ready
from cluster.ownership import controller_uid

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

BURST = 500
"""Pods made or deleted by one look at an object; the next look comes after everybody else's (BurstReplicas)."""

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def look(context: Context, key: Key) -> None:
    owner = context.get(key)
    if owner is None:
        return
    active = [a_pod for a_pod in claim_pods(context, owner) if is_active(a_pod)]
    if not is_deleting(owner):
        active = _with_as_many_as_wanted(context, key, owner, active)
    context.update_status(owner, _status(context, key, owner, active))


def _with_as_many_as_wanted(context: Context, key: Key, owner: Object, active: list[Object]) -> list[Object]:
    component = "replicaset-controller" if owner["kind"] == "ReplicaSet" else "replication-controller"
    missing = owner["spec"]["replicas"] - len(active)
    for _ in range(to_create(context, key, missing, active)):
        fresh = context.fresh_name("Pod", namespace(owner), f"{name(owner)}-")
        made = context.create(pod(owner, fresh, {}))
        if made is not None:
            active.append(made)
            context.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {fresh}", component)
    if missing >= 0:
        return active
    gone = first_to_go(context, owner, active)[: to_delete(context, key, -missing)]
    for a_pod in gone:
        context.delete(a_pod)
        context.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name(a_pod)}", component)
    names = {name(a_pod) for a_pod in gone}
    return [a_pod for a_pod in active if name(a_pod) not in names]


def to_create(context: Context, key: Key, missing: int, active: Sequence[Object]) -> int:
    """How many pods to make in this look: no more than a burst, and none while a burst of them waits for a node.

    The second limit is not Kubernetes'. There, its clients' rate limits and quotas keep a wrong number of replicas from
    filling the store; here, whoever cannot be placed need not be made first.
    """
    waiting = sum(not a_pod["spec"].get("nodeName") for a_pod in active)
    count = max(0, min(missing, BURST - waiting))
    if 0 < count < missing:
        context.later(key)
    return count


def to_delete(context: Context, key: Key, surplus: int) -> int:
    if surplus > BURST:
        context.later(key)
    return min(surplus, BURST)


def first_to_go(context: Context, owner: Object, pods: Sequence[Object]) -> Sequence[Object]:
    """In the order of the ReplicaSet controller (controller_utils.go, ActivePodsWithRanks).

    Unbound before bound, pending before running, not ready before ready, the cheaper one, the one that shares its
    node with more of its kind, ready for a shorter time, restarted more often, younger.
    """
    crowd = Counter(str(a_pod["spec"].get("nodeName")) for a_pod in _related(context, owner, pods))

    def rank(a_pod: Mapping[str, Any]) -> tuple[Any, ...]:
        node, status = a_pod["spec"].get("nodeName"), a_pod.get("status", {})
        restarts = [entry.get("restartCount", 0) for entry in status.get("containerStatuses", ())]
        return (
            bool(node),
            _PHASES.get(status.get("phase", "Pending"), 0),
            ready(a_pod),
            _deletion_cost(a_pod),
            -crowd[str(node)],
            -(ready_since(a_pod) or 0),
            -max(restarts, default=0),
        )

    # The sort is stable: of equal ones the youngest is first.
    return sorted(reversed(pods), key=rank)


def _related(context: Context, owner: Object, pods: Sequence[Object]) -> Sequence[Object]:
    """The active pods of all ReplicaSets of the same Deployment."""
    above = controller_uid(owner)
    if above is None:
        return pods
    siblings = context.get_all(context.index.owned(above, owner["kind"]))
    return [a_pod for sibling in siblings for a_pod in context.owned(sibling, "Pod") if is_active(a_pod)]


def _deletion_cost(a_pod: Mapping[str, Any]) -> int:
    """ "Invalid values will be rejected by the API server"; until they are, they count as none."""
    text = annotation(a_pod, DELETION_COST) or "0"
    return int(text) if text.lstrip("+-").isdigit() else 0


def _status(context: Context, key: Key, owner: Object, active: Sequence[Object]) -> Object:
    template_labels = (owner["spec"]["template"].get("metadata") or {}).get("labels") or {}
    min_ready_s = owner["spec"].get("minReadySeconds") or 0
    counts = {
        "fullyLabeledReplicas": sum(template_labels.items() <= labels(a_pod).items() for a_pod in active),
        "readyReplicas": sum(map(ready, active)),
        "availableReplicas": len(available(active, min_ready_s, context, key)),
    }
    status: Object = {
        "replicas": len(active),
        # "omitempty": a count of zero is not written.
        **{field: count for field, count in counts.items() if count},
        "observedGeneration": owner["metadata"].get("generation", 1),
    }
    if conditions := owner.get("status", {}).get("conditions"):
        status["conditions"] = conditions
    return status
