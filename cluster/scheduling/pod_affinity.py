"""What a pod says about other pods: affinity, anti-affinity, topology spread. Terms, and which pods they match."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cluster.objects import labels, namespace
from cluster.selectors import matches

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Term:
    """Pods with these labels in these namespaces, counted by a label of their nodes.

    `running` leaves out pods that terminate, as topology spread does and affinity does not.
    """

    namespaces: frozenset[str]
    namespace_selector_json: str
    selector_json: str
    topology_key: str
    running: bool = False

    @cached_property
    def selector(self) -> Mapping[str, Any] | None:
        selector: Mapping[str, Any] | None = json.loads(self.selector_json)
        return selector

    @cached_property
    def namespace_selector(self) -> Mapping[str, Any] | None:
        selector: Mapping[str, Any] | None = json.loads(self.namespace_selector_json)
        return selector

    def matches(self, pod: Mapping[str, Any], namespaces: Mapping[str, Labels]) -> bool:
        """`namespaces`: the labels of the cluster's namespaces."""
        if not matches(self.selector, labels(pod)) or (self.running and "deletionTimestamp" in pod["metadata"]):
            return False
        space = namespace(pod)
        # An empty namespaceSelector is all namespaces, one that nobody has heard of too.
        return space in self.namespaces or matches(self.namespace_selector, namespaces.get(space, {}))


@dataclass(frozen=True, slots=True)
class Spread:
    """A topologySpreadConstraint; `required` when it says DoNotSchedule."""

    term: Term
    max_skew: int
    required: bool
    min_domains: int
    honors_affinity: bool
    honors_taints: bool


@dataclass(frozen=True, slots=True)
class Wishes:
    """All that one pod says about other pods. Preferred terms carry a weight, negative for anti-affinity."""

    near: Sequence[Term]
    far: Sequence[Term]
    preferred: Sequence[tuple[int, Term]]
    spread: Sequence[Spread]


NO_WISHES = Wishes((), (), (), ())


def wishes(pod: Mapping[str, Any]) -> Wishes:
    """Read a pod's affinity, anti-affinity and spread constraints."""
    affinity = pod["spec"].get("affinity") or {}
    constraints = pod["spec"].get("topologySpreadConstraints") or ()
    if not affinity and not constraints:
        return NO_WISHES
    near, far = affinity.get("podAffinity") or {}, affinity.get("podAntiAffinity") or {}
    weighed = [(1, entry) for entry in near.get(PREFERRED) or ()]
    weighed += [(-1, entry) for entry in far.get(PREFERRED) or ()]
    return Wishes(
        near=[term_of(term, pod) for term in near.get(REQUIRED) or ()],
        far=anti_affinity(pod),
        preferred=[(sign * entry["weight"], term_of(entry["podAffinityTerm"], pod)) for sign, entry in weighed],
        spread=[_spread(constraint, pod) for constraint in constraints],
    )


def anti_affinity(pod: Mapping[str, Any]) -> Sequence[Term]:
    """The required terms; they hold both ways."""
    far = (pod["spec"].get("affinity") or {}).get("podAntiAffinity") or {}
    return [term_of(term, pod) for term in far.get(REQUIRED) or ()]


def term_of(term: Mapping[str, Any], pod: Mapping[str, Any]) -> Term:
    """As the API says: "null or empty namespaces list and null namespaceSelector means this pod's namespace"."""
    names = frozenset(term.get("namespaces") or ())
    if not names and term.get("namespaceSelector") is None:
        names = frozenset((namespace(pod),))
    keys = [(key, "In") for key in term.get("matchLabelKeys") or ()]
    keys += [(key, "NotIn") for key in term.get("mismatchLabelKeys") or ()]
    selector = _with_keys(term.get("labelSelector"), keys, pod)
    return Term(names, _json(term.get("namespaceSelector")), _json(selector), term["topologyKey"])


def _spread(constraint: Mapping[str, Any], pod: Mapping[str, Any]) -> Spread:
    keys = [(key, "In") for key in constraint.get("matchLabelKeys") or ()]
    selector = _with_keys(constraint.get("labelSelector"), keys, pod)
    term = Term(frozenset((namespace(pod),)), "null", _json(selector), constraint["topologyKey"], running=True)
    return Spread(
        term,
        constraint["maxSkew"],
        constraint["whenUnsatisfiable"] == "DoNotSchedule",
        constraint.get("minDomains") or 1,
        constraint.get("nodeAffinityPolicy", "Honor") == "Honor",
        constraint.get("nodeTaintsPolicy", "Ignore") == "Honor",
    )


def _with_keys(
    selector: Mapping[str, Any] | None, keys: Sequence[tuple[str, str]], pod: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """ "Keys that don't exist in the incoming pod labels will be ignored."""
    own = labels(pod)
    more = [{"key": key, "operator": operator, "values": [own[key]]} for key, operator in keys if key in own]
    if selector is None or not more:
        return selector
    return {**selector, "matchExpressions": [*(selector.get("matchExpressions") or ()), *more]}


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
