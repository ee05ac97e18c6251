"""A part of a rule: one conjunction, subjects x peers x ports. A rule has one part for its numbered ports, and one for
each number that one of its named ports has in some destination pod.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from cluster.policy_names import Direction
from controller.pipeline import EGRESS_POLICY, INGRESS_POLICY, PRIORITY_HIGH, PRIORITY_NORMAL
from controller.policy_clauses import Clause, Clauses, Slot
from controller.policy_groups import Group, Member
from controller.policy_matches import Word, address_word, conj_id_word

TABLES: Mapping[Direction, str] = {"ingress": INGRESS_POLICY, "egress": EGRESS_POLICY}
SUBJECT_SIDE: Mapping[Direction, str] = {"ingress": "dst", "egress": "src"}
PEER_SIDE: Mapping[Direction, str] = {"ingress": "src", "egress": "dst"}


@dataclass(frozen=True, slots=True)
class Content:
    """What a part is made of. `peers` None: not restricted; `ports` likewise.

    `bucket` is a named port's number: of the subjects of an ingress part, of the peers of an egress part.
    `blocks` are the peers that are address blocks. `priority_shift` spreads conjunctions over priorities.
    """

    direction: Direction
    number: int
    subjects: Group
    peers: tuple[Group, ...] | None
    blocks: tuple[Word, ...]
    ports: tuple[Word, ...] | None
    bucket: int | None
    priority_shift: int

    @property
    def dimensions(self) -> int:
        return 1 + (self.peers is not None) + (self.ports is not None)


class Part:
    """Keeps the clauses of one conjunction, on the nodes that have a subject of it."""

    def __init__(self, content: Content, clauses: Clauses) -> None:
        self.content = content
        self._clauses = clauses
        self._subjects: dict[str, int] = {}
        self._table = TABLES[content.direction]
        self._subject_bucket = content.bucket if content.direction == "ingress" else None
        self._peer_bucket = content.bucket if content.direction == "egress" else None
        self._listeners: list[tuple[Group, _Heard]] = []

    def begin(self) -> None:
        """Take in the members that there are, and listen."""
        self._listen(self.content.subjects, self._subject_bucket, self._count_subject)
        for group in self.content.peers or ():
            self._listen(group, self._peer_bucket, self._put_peer)
        for member in self.content.subjects.in_bucket(self._subject_bucket):
            self._count_subject(member, +1)

    def end(self) -> None:
        """Take all clauses back, and listen no more."""
        for member in self.content.subjects.in_bucket(self._subject_bucket):
            self._count_subject(member, -1)
        for group, listener in self._listeners:
            group.parts.remove(listener)
        self._listeners.clear()

    def _listen(self, group: Group, bucket: int | None, tell: Callable[[Member, int], None]) -> None:
        listener = _Heard(bucket, tell)
        self._listeners.append((group, listener))
        group.parts.append(listener)

    def _count_subject(self, member: Member, times: int) -> None:
        words = (address_word(SUBJECT_SIDE[self.content.direction], address) for address in member.addresses)
        self._add(member.node, words, 1, times)
        count = self._subjects.get(member.node, 0) + times
        if count:
            self._subjects[member.node] = count
        else:
            del self._subjects[member.node]
        if count == max(times, 0):
            self._put_rest(member.node, times)

    def _put_rest(self, node: str, times: int) -> None:
        """Peers, ports and the conjunction itself, with the node's first subject and until its last is gone."""
        content = self.content
        for group in content.peers or ():
            for member in group.in_bucket(self._peer_bucket):
                self._add(node, self._peer_words(member), 2, times)
        self._add(node, content.blocks, 2, times)
        if content.ports is not None:
            self._add(node, content.ports, content.dimensions, times)
        if content.dimensions > 1:
            slot = (self._table, self._priority, conj_id_word(content.number))
            self._clauses.add(node, (slot,), (content.number, 0, content.dimensions), times)

    def _put_peer(self, member: Member, times: int) -> None:
        for node in self._subjects:
            self._add(node, self._peer_words(member), 2, times)

    def _peer_words(self, member: Member) -> Iterator[Word]:
        return (address_word(PEER_SIDE[self.content.direction], address) for address in member.addresses)

    @property
    def _priority(self) -> int:
        """What allows by itself must not share a priority with conjunctions: one match may be of both kinds."""
        return PRIORITY_HIGH if self.content.dimensions == 1 else PRIORITY_NORMAL + self.content.priority_shift

    def _add(self, node: str, words: Iterable[Word], dimension: int, times: int) -> None:
        slots: Iterable[Slot] = ((self._table, self._priority, word) for word in words)
        clause: Clause = (self.content.number, dimension, self.content.dimensions)
        self._clauses.add(node, slots, clause, times)


@dataclass(eq=False, slots=True)
class _Heard:
    """Passes on what becomes of the members of one bucket."""

    bucket: int | None
    tell: Callable[[Member, int], None]

    def changed(self, pod: str, before: Member | None, after: Member | None) -> None:
        if after is not None and after.bucket == self.bucket:
            self.tell(after, +1)
        if before is not None and before.bucket == self.bucket:
            self.tell(before, -1)


@dataclass(eq=False, slots=True)
class Maker:
    """Makes a part for each number that a named port has in some pod of these groups, and ends it with the last."""

    make: Callable[[int], Part]
    groups: tuple[Group, ...]
    counts: dict[int, int] = field(default_factory=dict)
    parts: dict[int, Part] = field(default_factory=dict)

    def begin(self) -> None:
        for group in self.groups:
            group.makers.append(self)
            for member in group.members.values():
                self._count(member, +1)

    def end(self) -> None:
        for group in self.groups:
            group.makers.remove(self)
        for part in self.parts.values():
            part.end()
        self.parts.clear()

    def changed(self, pod: str, before: Member | None, after: Member | None) -> None:
        if after is not None:
            self._count(after, +1)
        if before is not None:
            self._count(before, -1)

    def _count(self, member: Member, times: int) -> None:
        assert member.bucket is not None, "a group of a named port has buckets"
        count = self.counts[member.bucket] = self.counts.get(member.bucket, 0) + times
        if count == 0:
            del self.counts[member.bucket]
            self.parts.pop(member.bucket).end()
        elif member.bucket not in self.parts:
            part = self.parts[member.bucket] = self.make(member.bucket)
            part.begin()
