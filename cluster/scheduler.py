"""Pods -> nodes: filter the nodes a pod may run on, then take the one with the fewest pods of the same owner."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.node_fit import matches_term, misfit, node_affinity
from cluster.objects import Object, labels, name, namespace
from cluster.ownership import controller_uid
from cluster.pod_affinity import NO_WISHES, PREFERRED, PodAffinity, Wishes


@dataclass(frozen=True, slots=True)
class Placement:
    """A pod and the name of its node; without one, why it fits nowhere, in the scheduler's words."""

    pod: Object
    node: str | None
    message: str = ""


@dataclass(slots=True)
class _Seat:
    """A node while pods are being placed: what runs there already, by owner."""

    node: Mapping[str, Any]
    capacity: int
    pods: int = 0
    by_owner: Counter[str] = field(default_factory=Counter)

    def add(self, owner: str) -> None:
        self.pods += 1
        self.by_owner[owner] += 1


def schedule(
    unbound: Iterable[Object],
    nodes: Sequence[Object],
    bound: Iterable[Object],
    namespaces: Iterable[Object] = (),
) -> Sequence[Placement]:
    """One Placement per unbound pod, in their order.

    `bound` are the pods that hold a place on a node; `namespaces` the Namespace objects, which a namespaceSelector
    reads. Between equal nodes the first one wins, so that the result depends on the input only.
    """
    seats = {name(node): _Seat(node, int(node["status"]["allocatable"]["pods"])) for node in nodes}
    placed = []
    for pod in bound:
        if seat := seats.get(pod["spec"]["nodeName"]):
            seat.add(_owner(pod))
            placed.append((pod, labels(seat.node)))
    scheduler = _Scheduler(list(seats.values()), PodAffinity(placed, namespaces))
    return [scheduler.place(pod) for pod in unbound]


class _Scheduler:
    def __init__(self, seats: Sequence[_Seat], pods: PodAffinity) -> None:
        self._seats = seats
        self._pods = pods
        self._fits: dict[str, tuple[Sequence[_Seat], Sequence[str]]] = {}

    def place(self, pod: Object) -> Placement:
        if not self._seats:
            return Placement(pod, None, "no nodes available to schedule pods")
        fitting, static_reasons = self._fitting(pod["spec"])
        wishes = self._pods.wishes(pod)
        eligible = [labels(seat.node) for seat in fitting] if wishes.spread else ()
        free, reasons = [], list(static_reasons)
        for seat in fitting:
            reason = self._misfit(pod, wishes, seat, eligible)
            if reason is None:
                free.append(seat)
            else:
                reasons.append(reason)
        if not free:
            return Placement(pod, None, _unavailable(len(self._seats), reasons))
        owner = _owner(pod)
        # min() keeps the first of equals: the order of the nodes decides.
        best = min(free, key=lambda seat: (self._penalty(pod, wishes, seat), seat.by_owner[owner], seat.pods))
        best.add(owner)
        self._pods.place(pod, labels(best.node))
        return Placement(pod, name(best.node))

    def _fitting(self, spec: Mapping[str, Any]) -> tuple[Sequence[_Seat], Sequence[str]]:
        """The nodes that this pod's own spec allows, and the reasons of the others; once per distinct spec."""
        wanted = (spec.get("nodeSelector"), node_affinity(spec), spec.get("tolerations"))
        signature = json.dumps(wanted) if any(wanted) else ""
        if signature not in self._fits:
            verdicts = [(seat, misfit(spec, seat.node)) for seat in self._seats]
            self._fits[signature] = (
                [seat for seat, reason in verdicts if reason is None],
                [reason for _, reason in verdicts if reason is not None],
            )
        return self._fits[signature]

    def _misfit(
        self, pod: Object, wishes: Wishes, seat: _Seat, eligible: Sequence[Mapping[str, str]]
    ) -> str | None:
        if seat.pods >= seat.capacity:
            return "Too many pods"
        return self._pods.misfit(pod, wishes, labels(seat.node), eligible)

    def _penalty(self, pod: Object, wishes: Wishes, seat: _Seat) -> int:
        if wishes is NO_WISHES:
            return 0
        preferred = node_affinity(pod["spec"]).get(PREFERRED) or ()
        unwanted: int = -sum(entry["weight"] for entry in preferred if matches_term(entry["preference"], seat.node))
        return unwanted + self._pods.penalty(wishes, labels(seat.node))


def _owner(pod: Mapping[str, Any]) -> str:
    """What replicas have in common; a bare pod is its own owner."""
    return controller_uid(pod) or f"{namespace(pod)}/{name(pod)}"


def _unavailable(nodes: int, reasons: Sequence[str]) -> str:
    """As the scheduler's FitError: "0/3 nodes are available: 1 Too many pods, 2 node(s) …"."""
    counted = sorted(f"{count} {reason}" for reason, count in Counter(reasons).items())
    return f"0/{nodes} nodes are available: {', '.join(counted)}."
