"""PodDisruptionBudget: how many pods may be evicted now, written into its status (pkg/controller/disruption).

The eviction subresource reads `status.disruptionsAllowed` and counts it down; this loop counts anew when pods change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster import conditions
from cluster.context import Context
from cluster.controllers.rollouts import amount
from cluster.deletion import is_deleting
from cluster.draft import Key
from cluster.index import match_labels, selects
from cluster.objects import Object, name, namespace, ready
from cluster.ownership import controller_reference, is_finished
from cluster.times import seconds

DELETION_TIMEOUT_S = 120
"""How long an eviction that was granted counts as a disruption without its pod going."""


def look(context: Context, key: Key) -> None:
    budget = context.get(key)
    if budget is None or is_deleting(budget):
        return
    pods = context.get_all(context.index.candidates(key[1], match_labels(budget)))
    pods = [pod for pod in pods if selects(budget, pod) and not is_finished(pod)]
    disrupted = _disrupted(context, key, budget, pods)
    healthy = sum(ready(pod) and not is_deleting(pod) and name(pod) not in disrupted for pod in pods)
    expected, desired = _expected(context, budget, pods)
    allowed = max(0, healthy - desired) if expected else 0
    status: Object = {
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "observedGeneration": budget["metadata"].get("generation", 1),
        "conditions": list(_conditions(context, budget, allowed)),
    }
    if disrupted:
        status["disruptedPods"] = disrupted
    context.update_status(budget, status)


def _expected(context: Context, budget: Mapping[str, Any], pods: Sequence[Object]) -> tuple[int, int]:
    """How many pods there should be, and how many of them must stay healthy."""
    spec = budget["spec"]
    if "maxUnavailable" in spec:
        expected = _scale(context, pods)
        return expected, max(0, expected - amount(spec["maxUnavailable"], expected, up=True))
    least = spec.get("minAvailable", 1)
    if isinstance(least, int):
        return len(pods), least
    expected = _scale(context, pods)
    return expected, amount(least, expected, up=True)


def _scale(context: Context, pods: Sequence[Object]) -> int:
    """The replicas that the controllers of these pods ask for, each counted once."""
    wanted: dict[str, int] = {}
    for pod in pods:
        owner = _top(context, pod)
        if owner is not None:
            wanted[owner["metadata"]["uid"]] = owner["spec"].get("replicas", 0)
    return sum(wanted.values())


def _top(context: Context, obj: Mapping[str, Any]) -> Object | None:
    """The Deployment, StatefulSet … at the top of the chain of controllers."""
    found = None
    while (entry := controller_reference(obj)) is not None:
        owner = context.get((entry["kind"], namespace(obj), entry["name"]))
        if owner is None or owner["metadata"]["uid"] != entry["uid"]:
            break
        found = obj = owner
    return found if found is None or "replicas" in found["spec"] else None


def _disrupted(context: Context, key: Key, budget: Mapping[str, Any], pods: Sequence[Object]) -> dict[str, str]:
    """Evictions that were granted and whose pods do not go yet."""
    present = {name(pod) for pod in pods if not is_deleting(pod)}
    left = {}
    for pod_name, since in ((budget.get("status") or {}).get("disruptedPods") or {}).items():
        end = seconds(since) + DELETION_TIMEOUT_S
        if pod_name in present and context.now < end:
            left[pod_name] = since
            context.wake(end, key)
    return left


def _conditions(context: Context, budget: Mapping[str, Any], allowed: int) -> Sequence[Object]:
    verdict: conditions.Verdict = "True" if allowed else "False"
    reason = "SufficientPods" if allowed else "InsufficientPods"
    entry = conditions.condition("DisruptionAllowed", verdict, reason, "", context.draft.now)
    entry["observedGeneration"] = budget["metadata"].get("generation", 1)
    return conditions.merged((budget.get("status") or {}).get("conditions") or (), entry)
