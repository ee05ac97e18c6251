"""What the policies said on a packet's way: of its sender for egress, of its receiver for ingress."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cluster.model import IPAddress, PodInterface
from cluster.policy_names import Direction, Places, RuleName
from controller.pipeline import EGRESS_DEFAULT, EGRESS_POLICY, INGRESS_DEFAULT, INGRESS_POLICY
from controller.policies import Policies
from controller.policy_words import allowed_by, allowed_by_none, isolated_by
from controller.state import NetworkState
from controller.trace import Hop, Step, Way

_TABLES: Mapping[Direction, tuple[str, str]] = {
    "egress": (EGRESS_POLICY, EGRESS_DEFAULT),
    "ingress": (INGRESS_POLICY, INGRESS_DEFAULT),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """`node` and `table` are where it was decided. `rules`: those behind the flow that let it pass; none where the pod is
    not isolated, and where what is asked is always allowed.
    """

    direction: Direction
    subject: str
    node: str
    table: str
    allowed: bool
    isolated_by: tuple[str, ...]
    rules: tuple[RuleName, ...]

    def said(self, places: Places) -> str:
        if not self.isolated_by:
            return f"{self.subject} is not isolated for {self.direction}"
        isolated = isolated_by(self.subject, self.direction, self.isolated_by, places)
        return f"{isolated}; {self._decided(places)} ({self.table} on {self.node})"

    def _decided(self, places: Places) -> str:
        if not self.allowed:
            return allowed_by_none(self.direction)
        return allowed_by(self.rules, places) if self.rules else "itself and its own node are always allowed"

    def as_json(self, places: Places) -> dict[str, Any]:
        return {
            "direction": self.direction, "subject": self.subject, "node": self.node, "table": self.table,
            "allowed": self.allowed, "isolated_by": [places.policy_json(key) for key in self.isolated_by],
            "rules": [places.rule_json(rule) for rule in self.rules], "said": self.said(places),
        }  # fmt: skip


def judged(way: Way, source: IPAddress, state: NetworkState, policies: Policies) -> Iterator[Judged]:
    """One for each pod at an end that was asked: a packet that may not leave never gets to its receiver's node."""
    ends: Mapping[Direction, tuple[IPAddress, Hop]] = {
        "egress": (source, way.hops[0]),
        "ingress": (way.address, way.hops[-1]),
    }
    for direction, (address, hop) in ends.items():
        pod = _pod(state, address, hop.node)
        step = _deciding(hop, direction)
        if pod is not None and step is not None:
            yield Judged(
                direction, pod.key, hop.node, step.table, not _drops(hop, step),
                tuple(policies.isolating(pod.key, direction)), step.rules,
            )  # fmt: skip


def _pod(state: NetworkState, address: IPAddress, node: str) -> PodInterface | None:
    return next((pod for pod in state.pods.values() if address in pod.addresses and pod.node == node), None)


def _deciding(hop: Hop, direction: Direction) -> Step | None:
    """The step in the default table, where nothing before it allowed."""
    return next((step for step in reversed(hop.steps) if step.table in _TABLES[direction]), None)


def _drops(hop: Hop, step: Step) -> bool:
    return step is hop.steps[-1]
