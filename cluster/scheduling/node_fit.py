"""May this pod run on this node, whatever else runs there? nodeSelector, required nodeAffinity, taints, cordons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.objects import Object, labels, name
from cluster.selectors import matches_labels, satisfies
from cluster.well_known import UNSCHEDULABLE_TAINT

_CORDONED: Object = {"key": UNSCHEDULABLE_TAINT, "effect": "NoSchedule"}


def misfit(spec: Mapping[str, Any], node: Mapping[str, Any]) -> str | None:
    """Why a pod with this spec cannot run on the node, in the scheduler's words; None when it can."""
    tolerations = spec.get("tolerations") or ()
    # The order is that of the scheduler's plugins: a node is counted under its first reason.
    if node["spec"].get("unschedulable") and not tolerates(tolerations, _CORDONED):
        return "node(s) were unschedulable"
    for taint in node["spec"].get("taints") or ():
        if taint["effect"] in ("NoSchedule", "NoExecute") and not tolerates(tolerations, taint):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    if not selects(spec, node):
        return "node(s) didn't match Pod's node affinity/selector"
    return None


def daemon_fit(spec: Mapping[str, Any], node: Mapping[str, Any]) -> tuple[bool, bool]:
    """Should a daemon pod with this spec run on the node, and may one that does stay there?"""
    if not selects(spec, node) or spec.get("nodeName") not in (None, "", name(node)):
        return False, False
    tolerations = spec.get("tolerations") or ()
    untolerated = [taint for taint in node["spec"].get("taints") or () if not tolerates(tolerations, taint)]
    may_stay = not any(taint["effect"] == "NoExecute" for taint in untolerated)
    return may_stay and not any(taint["effect"] == "NoSchedule" for taint in untolerated), may_stay


def selects(spec: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """Do the pod's nodeSelector and required nodeAffinity choose this node?"""
    if not matches_labels(spec.get("nodeSelector") or {}, labels(node)):
        return False
    required = node_affinity(spec).get("requiredDuringSchedulingIgnoredDuringExecution")
    # "The terms are ORed", and the requirements of one term are ANDed.
    return required is None or any(matches_term(term, node) for term in required["nodeSelectorTerms"])


def node_affinity(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return (spec.get("affinity") or {}).get("nodeAffinity") or {}


def matches_term(term: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """A NodeSelectorTerm. "A null or empty node selector term matches no objects."""
    expressions: Sequence[Any] = term.get("matchExpressions") or ()
    fields: Sequence[Any] = term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    node_fields = {"metadata.name": name(node)}
    return all(satisfies(entry, labels(node)) for entry in expressions) and all(
        satisfies(entry, node_fields) for entry in fields
    )


def toleration_of(tolerations: Sequence[Mapping[str, Any]], taint: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first toleration that bears with this taint; None when none does."""
    return next((toleration for toleration in tolerations if _tolerates(toleration, taint)), None)


def tolerates(tolerations: Sequence[Mapping[str, Any]], taint: Mapping[str, Any]) -> bool:
    return any(_tolerates(toleration, taint) for toleration in tolerations)


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """An "empty [effect] means match all taint effects", an "empty [key] … all taint keys" (core/v1)."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")
