"""Eviction: a deletion that asks the PodDisruptionBudgets first (pkg/registry/core/pod/storage/eviction.go)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster import deletion
from cluster.draft import Draft
from cluster.objects import Object, labels, name, namespace, ready
from cluster.registry import errors
from cluster.registry.errors import Cause, StatusError
from cluster.selectors import matches

RETRY_AFTER_S = 1
"""Client libraries wait so long and ask again; in Kubernetes it is the drain that waits (5 s)."""

_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."


def evict(draft: Draft, pod: Object, options: deletion.DeleteOptions) -> None:
    """Delete the pod if its budget allows it. Raises StatusError 429."""
    if _counts(pod):
        for budget in _budgets(draft, pod):
            _spend(draft, budget, pod)
    deletion.delete(draft, ("Pod", namespace(pod), name(pod)), options)


def _counts(pod: Mapping[str, Any]) -> bool:
    """ "canIgnorePDB": what has ended, has not begun or goes already is not missed."""
    phase = pod.get("status", {}).get("phase", "Pending")
    return phase not in ("Succeeded", "Failed", "Pending") and not deletion.is_deleting(pod)


def _budgets(draft: Draft, pod: Object) -> list[Object]:
    found = [
        budget
        for budget in draft.objects("PodDisruptionBudget")
        if namespace(budget) == namespace(pod) and matches(budget["spec"].get("selector"), labels(pod))
    ]
    if len(found) > 1:
        message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise errors.internal_error(message)
    return found


def _spend(draft: Draft, budget: Object, pod: Object) -> None:
    status: Object = budget.get("status") or {}
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        why = f"The disruption budget {name(budget)} is still being processed by the server."
        raise _refused(why)
    healthy, wanted = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    if not ready(pod):
        # KEP-3017: a pod that is not ready is no loss, always or as long as enough others are.
        always = budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
        if always or (healthy >= wanted and wanted > 0):
            return
    allowed = status.get("disruptionsAllowed", 0)
    if allowed <= 0:
        why = f"The disruption budget {name(budget)} needs {wanted} healthy pods and has {healthy} currently"
        raise _refused(why)
    disrupted = {**(status.get("disruptedPods") or {}), name(pod): draft.now}
    draft.put_status({**budget, "status": {**status, "disruptionsAllowed": allowed - 1, "disruptedPods": disrupted}})


def _refused(why: str) -> StatusError:
    return errors.too_many_requests(_REFUSED, RETRY_AFTER_S, [Cause("DisruptionBudget", why)])
