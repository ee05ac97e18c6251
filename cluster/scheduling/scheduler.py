"""Pods -> nodes: filter the nodes a pod may run on, then take the one that suits it best.

The filters are those of kube-scheduler, in its order and its words; the score prefers what the pod prefers, then the
node with the fewest pods of the same owner, then the emptier one. There is no preemption: a pod of higher priority
goes first, but nobody makes room for it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.objects import Object, name
from cluster.scheduling.node_fit import matches_term, misfit, node_affinity, selects, tolerates
from cluster.scheduling.pod_affinity import NO_WISHES, PREFERRED, Spread, Term, Wishes, wishes
from cluster.scheduling.resource_amounts import pod_requests
from cluster.scheduling.seats import Port, Seat, Seats, host_ports, owner_of

SPREAD_MISFIT = "node(s) didn't match pod topology spread constraints"


@dataclass(frozen=True, slots=True)
class Placement:
    """A pod and the name of its node; without one, why it fits nowhere, in the scheduler's words."""

    pod: Object
    node: str | None
    message: str = ""


def place(pod: Object, seats: Seats) -> Placement:
    """The best node for one pod, as things stand; the caller counts it there."""
    nodes = seats.nodes()
    if not nodes:
        return Placement(pod, None, "no nodes available to schedule pods")
    fitting, reasons = _fitting(pod["spec"], seats)
    request = _Request(pod, wishes(pod), seats)
    free, more_reasons = [], list(reasons)
    for seat in fitting:
        against = request.misfits(seat)
        more_reasons += against
        if not against:
            free.append(seat)
    if not free:
        return Placement(pod, None, _unavailable(len(nodes), more_reasons))
    # min() keeps the first of equals: the order of the nodes decides.
    best = min(free, key=request.rank)
    assert best.node is not None
    return Placement(pod, name(best.node))


class _Request:
    """One pod, with what is the same for all nodes worked out once."""

    def __init__(self, pod: Object, pod_wishes: Wishes, seats: Seats) -> None:
        self._pod = pod
        self._wishes = pod_wishes
        self._seats = seats
        self._owner = owner_of(pod)
        self._requests = pod_requests(pod["spec"])
        self._ports = host_ports(pod["spec"])
        self._repelled = list(seats.repelling(pod))
        self._domains = {term: _by_domain(term, seats) for term in _affinity_terms(pod_wishes)}
        self._spreads = [(spread, self._spread_counts(spread)) for spread in pod_wishes.spread]
        self._soft_taints = seats.has_soft_taints
        self._preferred = node_affinity(pod["spec"]).get(PREFERRED) or ()
        self._is_plain = pod_wishes is NO_WISHES and not (self._ports or self._repelled or self._spreads)
        self._has_no_preference = pod_wishes is NO_WISHES and not (self._soft_taints or self._preferred)

    def misfits(self, seat: Seat) -> Sequence[str]:
        """Why what is there keeps the pod off a node: all reasons of the first filter that does."""
        if self._is_plain:
            return self._lacking(seat)
        if self._ports and any(_clash(port, taken) for port in self._ports for taken in seat.ports):
            return ["node(s) didn't have free ports for the requested pod ports"]
        if lacking := self._lacking(seat):
            return lacking
        for spread, counts in self._spreads:
            if spread.required and (reason := self._spread_misfit(spread, counts, seat)):
                return [reason]
        return self._affinity_misfits(seat)

    def rank(self, seat: Seat) -> tuple[int, int, int]:
        """How little a node suits the pod; lower is better."""
        penalty = 0 if self._has_no_preference else self._penalty(seat)
        return penalty, seat.by_owner[self._owner], len(seat.pods)

    def _lacking(self, seat: Seat) -> Sequence[str]:
        lacking = []
        if (len(seat.pods) + 1) * 1000 > seat.allocatable.get("pods", 0):
            lacking.append("Too many pods")
        for resource, amount in self._requests.items():
            if amount and seat.requested[resource] + amount > seat.allocatable.get(resource, 0):
                lacking.append(f"Insufficient {resource}")
        return lacking

    def _affinity_misfits(self, seat: Seat) -> Sequence[str]:
        for key, domains in self._repelled:
            if seat.labels.get(key) in domains:
                return ["node(s) didn't satisfy existing pods anti-affinity rules"]
        if self._wishes is NO_WISHES:
            return []
        if not all(self._is_near(term, seat) for term in self._wishes.near):
            return ["node(s) didn't match pod affinity rules"]
        if any(self._count(term, seat) for term in self._wishes.far):
            return ["node(s) didn't match pod anti-affinity rules"]
        return []

    def _is_near(self, term: Term, seat: Seat) -> bool:
        if term.topology_key not in seat.labels:
            return False
        # The first of a group that wants to be near its own kind may go anywhere, or none ever could.
        nobody = not any(any(self._domains[other].values()) for other in self._wishes.near)
        return self._count(term, seat) > 0 or (nobody and self._matches_itself())

    def _matches_itself(self) -> bool:
        return all(self._seats.matches(term, self._pod) for term in self._wishes.near)

    def _count(self, term: Term, seat: Seat) -> int:
        domain = seat.labels.get(term.topology_key)
        return 0 if domain is None else self._domains[term][domain]

    def _spread_counts(self, spread: Spread) -> Counter[str]:
        """Matching pods by domain, on the nodes that count: with the topology keys, and allowed to the pod."""
        keys = {one.term.topology_key for one in self._wishes.spread if one.required == spread.required}
        matching = self._seats.matching(spread.term)
        counts: Counter[str] = Counter()
        for seat in self._seats.nodes():
            if keys <= seat.labels.keys() and _counts_for(spread, self._pod["spec"], seat):
                counts[seat.labels[spread.term.topology_key]] += matching[name(seat.node or {})]
        return counts

    def _spread_misfit(self, spread: Spread, counts: Counter[str], seat: Seat) -> str | None:
        domain = seat.labels.get(spread.term.topology_key)
        if domain is None:
            return f"{SPREAD_MISFIT} (missing required label)"
        # "If there are fewer domains than minDomains … the global minimum is treated as 0."
        least = min(counts.values(), default=0) if len(counts) >= spread.min_domains else 0
        itself = self._seats.matches(spread.term, self._pod)
        return SPREAD_MISFIT if counts[domain] + itself - least > spread.max_skew else None

    def _penalty(self, seat: Seat) -> int:
        penalty: int = 0
        if self._soft_taints:
            tolerations = self._pod["spec"].get("tolerations") or ()
            penalty += 100 * sum(not tolerates(tolerations, taint) for taint in seat.soft_taints)
        penalty -= sum(int(entry["weight"]) for entry in self._preferred if matches_term(entry["preference"], seat.node or {}))
        if self._wishes is NO_WISHES:
            return penalty
        penalty -= sum(weight for weight, term in self._wishes.preferred if self._count(term, seat))
        soft = ((spread, counts) for spread, counts in self._spreads if not spread.required)
        return penalty + sum(counts[seat.labels.get(spread.term.topology_key, "")] for spread, counts in soft)


def _fitting(spec: Mapping[str, Any], seats: Seats) -> tuple[Sequence[Seat], Sequence[str]]:
    """The nodes that this pod's own spec allows, and the reasons of the others; once per distinct spec."""
    wanted = (spec.get("nodeSelector"), node_affinity(spec), spec.get("tolerations"))
    signature = json.dumps(wanted) if any(wanted) else ""
    if signature not in seats.verdicts:
        verdicts = [(seat, misfit(spec, seat.node)) for seat in seats.nodes() if seat.node is not None]
        seats.verdicts[signature] = (
            [seat for seat, reason in verdicts if reason is None],
            [reason for _, reason in verdicts if reason is not None],
        )
    answer: tuple[Sequence[Seat], Sequence[str]] = seats.verdicts[signature]
    return answer


def _counts_for(spread: Spread, spec: Mapping[str, Any], seat: Seat) -> bool:
    node = seat.node or {}
    if spread.honors_affinity and not selects(spec, node):
        return False
    return not spread.honors_taints or all(
        tolerates(spec.get("tolerations") or (), taint)
        for taint in node["spec"].get("taints") or ()
        if taint["effect"] in ("NoSchedule", "NoExecute")
    )


def _affinity_terms(pod_wishes: Wishes) -> Iterable[Term]:
    yield from pod_wishes.near
    yield from pod_wishes.far
    yield from (term for _, term in pod_wishes.preferred)


def _by_domain(term: Term, seats: Seats) -> Counter[str]:
    counts: Counter[str] = Counter()
    for node, count in seats.matching(term).items():
        domain = seats.labels_of(node).get(term.topology_key)
        if domain is not None:
            counts[domain] += count
    return counts


def _clash(a: Port, b: Port) -> bool:
    """The same port and protocol, on addresses that overlap."""
    return a[1:] == b[1:] and (a[0] == b[0] or not a[0] or not b[0])


def _unavailable(nodes: int, reasons: Sequence[str]) -> str:
    """As the scheduler's FitError: "0/3 nodes are available: 1 Too many pods, 2 node(s) …"."""
    counted = sorted(f"{count} {reason}" for reason, count in Counter(reasons).items())
    return f"0/{nodes} nodes are available: {', '.join(counted)}."
