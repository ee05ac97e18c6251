"""Where are the pods that a pod wants near, far, or evenly spread? Counts per selector and topology domain.

A count is made once per distinct term and kept up to date with every pod placed, so that a thousand pods with the
same anti-affinity cost a thousand look-ups and not a million comparisons.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cluster.objects import labels, name, namespace
from cluster.selectors import matches

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"

Labels = Mapping[str, str]

Placed = tuple[Mapping[str, Any], Labels]
"""A pod, and the labels of its node."""


@dataclass(frozen=True)
class Term:
    """Pods with these labels in these namespaces (None: in all), counted by a label of their nodes."""

    namespaces: frozenset[str] | None
    selector_json: str
    topology_key: str

    @cached_property
    def selector(self) -> Mapping[str, Any] | None:
        selector: Mapping[str, Any] | None = json.loads(self.selector_json)
        return selector

    def matches(self, pod: Mapping[str, Any]) -> bool:
        in_namespace = self.namespaces is None or namespace(pod) in self.namespaces
        return in_namespace and matches(self.selector, labels(pod))


@dataclass(frozen=True, slots=True)
class Spread:
    """A topologySpreadConstraint; `required` when it says DoNotSchedule."""

    term: Term
    max_skew: int
    required: bool


@dataclass(frozen=True, slots=True)
class Wishes:
    """All that one pod says about other pods. Preferred terms carry a weight, negative for anti-affinity."""

    near: Sequence[Term]
    far: Sequence[Term]
    preferred: Sequence[tuple[int, Term]]
    spread: Sequence[Spread]


NO_WISHES = Wishes((), (), (), ())


class PodAffinity:
    """The counts over all placed pods. `namespaces` holds the Namespace objects, for namespaceSelector."""

    def __init__(self, placed: Iterable[Placed], namespaces: Iterable[Mapping[str, Any]] = ()) -> None:
        self._placed = list(placed)
        self._namespaces = list(namespaces)
        self._matching: dict[Term, Counter[str]] = {}
        self._repelling: dict[Term, Counter[str]] = {}
        for pod, node_labels in self._placed:
            self._repel(pod, node_labels)

    def wishes(self, pod: Mapping[str, Any]) -> Wishes:
        """Read a pod's affinity, anti-affinity and spread constraints."""
        affinity = pod["spec"].get("affinity") or {}
        constraints = pod["spec"].get("topologySpreadConstraints") or ()
        if not affinity and not constraints:
            return NO_WISHES
        near, far = affinity.get("podAffinity") or {}, affinity.get("podAntiAffinity") or {}
        weighed = [(1, entry) for entry in near.get(PREFERRED) or ()]
        weighed += [(-1, entry) for entry in far.get(PREFERRED) or ()]
        return Wishes(
            near=[self._term(term, pod) for term in near.get(REQUIRED) or ()],
            far=[self._term(term, pod) for term in far.get(REQUIRED) or ()],
            preferred=[(sign * entry["weight"], self._term(entry["podAffinityTerm"], pod)) for sign, entry in weighed],
            spread=[self._spread(constraint, pod) for constraint in constraints],
        )

    def place(self, pod: Mapping[str, Any], node_labels: Labels) -> None:
        """Count a pod that has been given a node."""
        self._placed.append((pod, node_labels))
        self._repel(pod, node_labels)
        for term, counts in self._matching.items():
            domain = node_labels.get(term.topology_key)
            if domain is not None and term.matches(pod):
                counts[domain] += 1

    def misfit(
        self, pod: Mapping[str, Any], wishes: Wishes, node_labels: Labels, eligible: Sequence[Labels]
    ) -> str | None:
        """Why the pods that are there keep this one off a node; `eligible`: labels of the nodes it could choose."""
        for spread in wishes.spread:
            if spread.required and self._skew(spread, pod, node_labels, eligible) > spread.max_skew:
                return "node(s) didn't match pod topology spread constraints"
        if not all(self._is_near(term, pod, node_labels) for term in wishes.near):
            return "node(s) didn't match pod affinity rules"
        if any(self._count(term, node_labels) for term in wishes.far):
            return "node(s) didn't match pod anti-affinity rules"
        for term, counts in self._repelling.items():
            if counts.get(node_labels.get(term.topology_key, ""), 0) and term.matches(pod):
                return "node(s) didn't satisfy existing pods anti-affinity rules"
        return None

    def penalty(self, wishes: Wishes, node_labels: Labels) -> int:
        """How little a node suits the pod's preferences; lower is better."""
        unwanted = -sum(weight for weight, term in wishes.preferred if self._count(term, node_labels))
        return unwanted + sum(self._count(s.term, node_labels) for s in wishes.spread if not s.required)

    def _skew(
        self, spread: Spread, pod: Mapping[str, Any], node_labels: Labels, eligible: Sequence[Labels]
    ) -> float:
        """The skew there would be with the pod here; infinite on a node without the topology key."""
        key = spread.term.topology_key
        domains = {other[key] for other in eligible if key in other}
        if node_labels.get(key) not in domains:
            return float("inf")
        counts = self._counts(spread.term)
        return counts[node_labels[key]] + spread.term.matches(pod) - min(counts[domain] for domain in domains)

    def _is_near(self, term: Term, pod: Mapping[str, Any], node_labels: Labels) -> bool:
        if term.topology_key not in node_labels:
            return False
        # The first of a group that wants to be near its own kind may go anywhere, or none ever could.
        first = not any(self._counts(term).values()) and term.matches(pod)
        return first or self._count(term, node_labels) > 0

    def _count(self, term: Term, node_labels: Labels) -> int:
        domain = node_labels.get(term.topology_key)
        return 0 if domain is None else self._counts(term)[domain]

    def _counts(self, term: Term) -> Counter[str]:
        if term not in self._matching:
            self._matching[term] = Counter(
                node_labels[term.topology_key]
                for pod, node_labels in self._placed
                if term.topology_key in node_labels and term.matches(pod)
            )
        return self._matching[term]

    def _repel(self, pod: Mapping[str, Any], node_labels: Labels) -> None:
        """Anti-affinity holds both ways: count what keeps later pods away."""
        for term in self.wishes(pod).far:
            domain = node_labels.get(term.topology_key)
            if domain is not None:
                self._repelling.setdefault(term, Counter())[domain] += 1

    def _term(self, term: Mapping[str, Any], pod: Mapping[str, Any]) -> Term:
        names: frozenset[str] | None = frozenset(self._term_namespaces(term, pod))
        if term.get("namespaceSelector") == {}:
            names = None  # "An empty selector ({}) matches all namespaces."
        return Term(names, json.dumps(term.get("labelSelector"), sort_keys=True), term["topologyKey"])

    def _term_namespaces(self, term: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
        """As the API says: "null or empty namespaces list and null namespaceSelector means this pod's namespace"."""
        if not term.get("namespaces") and term.get("namespaceSelector") is None:
            yield namespace(pod)
        yield from term.get("namespaces") or ()
        yield from (name(other) for other in self._namespaces if matches(term.get("namespaceSelector"), labels(other)))

    def _spread(self, constraint: Mapping[str, Any], pod: Mapping[str, Any]) -> Spread:
        selector = json.dumps(constraint.get("labelSelector"), sort_keys=True)
        term = Term(frozenset((namespace(pod),)), selector, constraint["topologyKey"])
        return Spread(term, constraint["maxSkew"], constraint["whenUnsatisfiable"] == "DoNotSchedule")
