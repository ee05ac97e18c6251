"""Clauses and the flows made of them. A clause is (node, table, priority, match; conjunction, dimension); a switch holds
one flow per match, so a flow is the set of clauses of its match, and changes when that set does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from cluster.policy_names import RuleName
from controller.actions import Action, Conjunction, Goto
from controller.flow import Flow, FlowKey
from controller.pipeline import CONNTRACK_COMMIT, EGRESS_POLICY, INGRESS_POLICY, L3_FORWARDING, Feature
from controller.policy_matches import Word, match_of

ALLOWED: Mapping[str, str] = {EGRESS_POLICY: L3_FORWARDING, INGRESS_POLICY: CONNTRACK_COMMIT}
"""Where a packet goes on that a rule of this table allows."""
MAX_OWNERS_NAMED = 4

Slot = tuple[str, int, Word]
"""(table, priority, match): one flow."""
Clause = tuple[int, int, int]
"""(conjunction, dimension, dimensions). With one dimension it allows by itself; so does dimension 0, conj_id."""


@dataclass(slots=True)
class FlowChanges:
    """(node, flow) to take away and to put there."""

    removed: list[tuple[str, Flow]] = field(default_factory=list)
    added: list[tuple[str, Flow]] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class _Node:
    """What one node holds; by itself, so that it is as quickly looked up beside a hundred others as alone."""

    counts: dict[Slot, dict[Clause, int]] = field(default_factory=dict)
    flows: dict[Slot, Flow] = field(default_factory=dict)
    dirty: set[Slot] = field(default_factory=set)
    allowing: dict[FlowKey, tuple[int, ...]] = field(default_factory=dict)
    """The conjunctions behind each flow that allows."""


class Clauses:
    """All clauses there are, counted: a pod may be a peer of one rule twice. `rules` by conjunction."""

    def __init__(self, rules: Mapping[int, RuleName]) -> None:
        self._rules = rules
        self._nodes: defaultdict[str, _Node] = defaultdict(_Node)
        self._dirty: set[str] = set()
        self._made: WeakValueDictionary[tuple[Slot, tuple[Clause, ...]], Flow] = WeakValueDictionary()

    def allowing(self, node: str, key: FlowKey) -> tuple[int, ...]:
        """The conjunctions for which a flow of this node allows; none where it does not."""
        return self._nodes[node].allowing.get(key, ())

    def add(self, node: str, slots: Iterable[Slot], clause: Clause, times: int) -> None:
        """`times` is +1 or -1."""
        place = self._nodes[node]
        for slot in slots:
            counts = place.counts.setdefault(slot, {})
            count = counts.get(clause, 0) + times
            if count:
                counts[clause] = count
            else:
                del counts[clause]
            if count == max(times, 0):
                place.dirty.add(slot)
        if place.dirty:
            self._dirty.add(node)

    def flush(self) -> FlowChanges:
        """What became of the flows since the last call."""
        changes = FlowChanges()
        for node in self._dirty:
            place = self._nodes[node]
            for slot in place.dirty:
                before, after = place.flows.get(slot), self._now(place, slot)
                if before is not after:
                    changes.removed += [] if before is None else [(node, before)]
                    changes.added += [] if after is None else [(node, after)]
            place.dirty.clear()
        self._dirty.clear()
        return changes

    def _now(self, place: _Node, slot: Slot) -> Flow | None:
        """The flow that a slot has now, put in the place of the one that it had."""
        before = place.flows.pop(slot, None)
        if before is not None:
            place.allowing.pop(before.key, None)
        counts = place.counts[slot]
        if not counts:
            del place.counts[slot]
            return None
        flow = place.flows[slot] = self._flow(slot, counts)
        if isinstance(flow.actions[0], Goto):
            place.allowing[flow.key] = tuple(sorted({number for number, _, _ in counts}))
        return flow

    def _flow(self, slot: Slot, clauses: Iterable[Clause]) -> Flow:
        """One for all nodes that have the same clauses in a slot."""
        ordered = tuple(sorted(clauses))
        flow = self._made.get((slot, ordered))
        if flow is None:
            flow = self._made[slot, ordered] = self._new_flow(slot, ordered)
        return flow

    def _new_flow(self, slot: Slot, ordered: tuple[Clause, ...]) -> Flow:
        table, priority, word = slot
        actions: tuple[Action, ...]
        if ordered[0][1] == 0 or ordered[0][2] == 1:
            actions = (Goto(ALLOWED[table]),)
        else:
            actions = tuple(Conjunction(*clause) for clause in ordered)
        owner = _owner({self._rules[number].policy for number, _, _ in ordered})
        return Flow(table, priority, match_of(word), actions, Feature.POLICIES, owner)


def _owner(policies: Iterable[str]) -> str:
    names = sorted(policies)
    more = f" and {len(names) - MAX_OWNERS_NAMED} more" if len(names) > MAX_OWNERS_NAMED else ""
    return f"NetworkPolicy {', '.join(names[:MAX_OWNERS_NAMED])}{more}"
