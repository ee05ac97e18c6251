"""A flow, checked against the pipeline when it is built; groups; and sets of both.

A cookie is feature (8 bits) | owner (24) | digest (32). The digest covers priority, match and actions, so a table's
id and a cookie together say everything about a flow: comparing with a switch needs no decoding of matches.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from itertools import combinations

from cluster.model import IPAddress
from controller.actions import Action as PlainAction
from controller.actions import Conjunction, Conntrack, DecTTL, Goto, Resubmit, ToGroup
from controller.fields import FIELD
from controller.learn import Learn
from controller.match import Match, merged
from controller.pipeline import BITS, TABLE, TABLE_ID, Feature

OWNER_BITS, DIGEST_BITS = 24, 32
OFPIT_GOTO_TABLE, OFPIT_APPLY_ACTIONS = 1, 4
OFPMT_OXM = 1
OFPGT_SELECT = 1
OFPP_ANY = OFPG_ANY = 0xFFFFFFFF
OFPG_MAX = 0xFFFFFF00
MAX_TOUCHED = 20_000

Action = PlainAction | Learn

FlowKey = tuple[int, int]
"""(table id, cookie): names one flow of one switch."""


class PipelineError(ValueError):
    """A flow that breaks the pipeline. Always a bug in a feature."""


def digest(content: bytes, bits: int) -> int:
    return int.from_bytes(blake2b(content, digest_size=bits // 8).digest(), "big")


@lru_cache(maxsize=1 << 16)
def owner_number(owner: str) -> int:
    """The owner's 24 bits of a cookie. Two owners may share one; `colliding_owners` tells."""
    return digest(owner.encode(), OWNER_BITS)


@dataclass(frozen=True)
class Flow:
    """One flow. `owner` is the object behind it, as a user names it: "Pod shop/web-1", "Node worker2".

    Raises PipelineError when built against the rules of its table.
    """

    table: str
    priority: int
    match: Match
    actions: tuple[Action, ...]
    feature: Feature
    owner: str
    wire: bytes = field(init=False, repr=False, compare=False)
    """Match and instructions as they stand at the end of a flow-mod."""
    cookie: int = field(init=False, repr=False, compare=False)
    key: FlowKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            match = merged(self.match)
            _check(self.table, self.match, self.actions)
        except (ValueError, KeyError) as reason:
            raise PipelineError(f"{self.owner}: {self.table}: {reason}") from reason
        wire = encode_match(match) + encode_instructions(self.actions)
        content = digest(struct.pack("!H", self.priority) + wire, DIGEST_BITS)
        cookie = (self.feature << OWNER_BITS | owner_number(self.owner)) << DIGEST_BITS | content
        for name, value in (("match", match), ("wire", wire), ("cookie", cookie)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "key", (TABLE_ID[self.table], cookie))

    def __str__(self) -> str:
        """The flow as ovs-ofctl writes and reads it."""
        match = "".join(f",{part}" for part in self.match)
        actions = ",".join(map(str, self.actions)) or "drop"
        return f"cookie={self.cookie:#x},table={self.key[0]},priority={self.priority}{match},actions={actions}"


def _check(table_name: str, match: Match, actions: tuple[Action, ...]) -> None:
    """Raises ValueError: undeclared field, missing prerequisite, backward goto, action after the last."""
    table = TABLE[table_name]
    exact = {part.field: part.value for part in match if part.mask is None}
    for part in match:
        if part.declared_name not in table.matches:
            raise ValueError(f"does not match {part.declared_name}")
        for needed, values in FIELD[part.field].prerequisites:
            if exact.get(needed) not in values:
                raise ValueError(f"{part.field} needs {needed} in {[hex(value) for value in values]}")
    for action in actions[:-1]:
        if isinstance(action, Goto | ToGroup) or (isinstance(action, Conntrack) and action.table is not None):
            raise ValueError(f"nothing may follow {action}")
    for action in actions:
        _check_action(table_name, action, "eth_type" in exact)


def _check_action(table_name: str, action: Action, is_ip: bool) -> None:
    table = TABLE[table_name]
    if action.writes is not None and action.writes not in table.writes:
        raise ValueError(f"does not write {action.writes}")
    if isinstance(action, DecTTL | Conntrack) and not is_ip:
        raise ValueError(f"{action} needs eth_type")
    if isinstance(action, Conntrack) and action.mark and action.mark.writes not in table.writes:
        raise ValueError(f"does not write {action.mark.writes}")
    bits = getattr(action, "bits", None) or getattr(action, "zone", None)
    if bits is not None and bits not in BITS:
        raise ValueError(f"{bits} are no bits of this pipeline")
    if isinstance(action, Goto | Conntrack | Resubmit) and action.table is not None:
        if action.table != table.miss and action.table not in table.next:
            raise ValueError(f"does not lead to {action.table}")
        again = isinstance(action, Resubmit) and action.table == table_name
        if TABLE_ID[action.table] <= TABLE_ID[table_name] and not again:
            raise ValueError(f"cannot go back to {action.table}")


def encode_match(match: Match) -> bytes:
    oxms = b"".join([part.encode() for part in match])
    length = 4 + len(oxms)
    return struct.pack("!HH", OFPMT_OXM, length) + oxms + bytes(-length % 8)


def encode_instructions(actions: tuple[Action, ...]) -> bytes:
    body = b"".join([action.encode() for action in actions])
    wire = struct.pack("!HH4x", OFPIT_APPLY_ACTIONS, 8 + len(body)) + body if body else b""
    last = actions[-1] if actions else None
    if isinstance(last, Goto):
        wire += struct.pack("!HHB3x", OFPIT_GOTO_TABLE, 8, TABLE_ID[last.table])
    return wire


@dataclass(frozen=True, slots=True)
class Bucket:
    weight: int
    actions: tuple[Action, ...]

    def encode(self) -> bytes:
        actions = b"".join(action.encode() for action in self.actions)
        return struct.pack("!HHII4x", 16 + len(actions), self.weight, OFPP_ANY, OFPG_ANY) + actions

    def __str__(self) -> str:
        return f"bucket=weight:{self.weight},actions={','.join(map(str, self.actions))}"


@dataclass(frozen=True)
class Group:
    """A select group: each connection takes one of the buckets. Its id derives from owner, purpose and content.

    So a group never changes: another content is another group, and what a switch holds is known from the ids.
    """

    purpose: str
    buckets: tuple[Bucket, ...]
    owner: str
    companion: Flow | None = None
    """A flow that its buckets lead to: there as long as the group is."""
    wire: bytes = field(init=False, repr=False, compare=False)
    """The buckets as they stand at the end of a group-mod."""
    group_id: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        wire = b"".join(bucket.encode() for bucket in self.buckets)
        content = f"{self.owner} {self.purpose}".encode() + wire
        object.__setattr__(self, "wire", wire)
        object.__setattr__(self, "group_id", digest(content, 32) % OFPG_MAX)

    def __str__(self) -> str:
        return ",".join((f"group_id={self.group_id},type=select", *map(str, self.buckets)))


@dataclass(frozen=True, slots=True)
class Translation:
    """A Service port's address (None: any node's) and one that it leads to, as connection tables may hold it.
    Without a port: whatever Service led there. An address and port that lead to themselves: not translated at all.
    """

    protocol: str
    address: IPAddress | None
    service_port: int | None
    endpoint: IPAddress | None
    target_port: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What one feature makes of one object: on every node, and on some nodes (by name)."""

    everywhere: tuple[Flow, ...] = ()
    groups: tuple[Group, ...] = ()
    on: Mapping[str, tuple[Flow, ...]] = field(default_factory=dict)
    translations: frozenset[Translation] = frozenset()
    """Those whose entries must go from the connection tables when they are no longer here."""
    taken_over: frozenset[Translation] = frozenset()
    """Those whose entries must go when these rules come: of connections to an address before it was a Service's."""


@dataclass(slots=True)
class FlowTable:
    """Everything one switch must hold. Raises PipelineError when two flows claim the same packets or name."""

    flows: dict[FlowKey, Flow] = field(default_factory=dict)
    groups: dict[int, Group] = field(default_factory=dict)
    _group_users: Counter[int] = field(default_factory=Counter)
    touched: list[Flow | Group] = field(default_factory=list)
    """What came or went, in order, since the `generation` began: what a switch may have to be told."""
    generation: int = 0
    _places: dict[tuple[str, int, Match], Flow] = field(default_factory=dict)

    def add(self, flows: Iterable[Flow], groups: Iterable[Group] = ()) -> None:
        for flow in flows:
            place = (flow.table, flow.priority, flow.match)
            other = self._places.get(place) or self.flows.get(flow.key)
            if other is not None:
                raise PipelineError(f"two flows in one place: {flow} ({flow.owner}) and {other} ({other.owner})")
            self._places[place] = self.flows[flow.key] = flow
            self._touch(flow)
        for group in groups:
            if self.groups.setdefault(group.group_id, group) != group:
                raise PipelineError(f"two groups of one id: {group} and {self.groups[group.group_id]}")
            self._group_users[group.group_id] += 1
            if group.companion and self._group_users[group.group_id] == 1:
                self.add((group.companion,))
            self._touch(group)

    def remove(self, flows: Iterable[Flow], groups: Iterable[Group] = ()) -> None:
        for flow in flows:
            del self._places[flow.table, flow.priority, flow.match]
            del self.flows[flow.key]
            self._touch(flow)
        for group in groups:
            self._group_users[group.group_id] -= 1
            if not self._group_users[group.group_id]:
                del self.groups[group.group_id], self._group_users[group.group_id]
                self.remove((group.companion,) if group.companion else ())
                self._touch(group)

    def _touch(self, what: Flow | Group) -> None:
        if len(self.touched) > MAX_TOUCHED + len(self.flows):
            self.touched.clear()
            self.generation += 1
        self.touched.append(what)

    def is_replaced(self, flow: Flow) -> bool:
        """Another flow stands in its place: adding that one removes this one."""
        return (flow.table, flow.priority, flow.match) in self._places

    def __iter__(self) -> Iterator[Flow]:
        return iter(self.flows.values())


def colliding_owners(flows: Iterable[Flow]) -> list[tuple[str, str]]:
    """Pairs of owners with the same 24 bits. Harmless to switches, but a cookie alone does not tell them apart."""
    seen: dict[int, str] = {}
    pairs = {(seen.setdefault(owner_number(flow.owner), flow.owner), flow.owner) for flow in flows}
    return sorted(pair for pair in pairs if pair[0] != pair[1])


def overlaps(flows: Iterable[Flow]) -> list[tuple[Flow, Flow]]:
    """Pairs of one table and priority that some packet matches both of, while they do different things.

    Flows are bundled by which bits they look at: within such a bundle no two overlap (their values differ), and two
    bundles are compared on the bits that both look at. Dimensions of conjunctions are made to overlap.
    """
    found: list[tuple[Flow, Flow]] = []
    by_place: dict[tuple[str, int], dict[tuple[tuple[str, int], ...], list[Flow]]] = {}
    for flow in flows:
        if any(isinstance(action, Conjunction) for action in flow.actions):
            continue
        shape = tuple((part.field, _mask(part.field, part.mask)) for part in flow.match)
        by_place.setdefault((flow.table, flow.priority), {}).setdefault(shape, []).append(flow)
    for shapes in by_place.values():
        for (shape, some), (other_shape, others) in combinations(shapes.items(), 2):
            looked_at = dict(other_shape)
            common = tuple((name, mask & looked_at[name]) for name, mask in shape if name in looked_at)
            found += _meeting(common, some, others)
    return found


def _meeting(common: tuple[tuple[str, int], ...], some: list[Flow], others: list[Flow]) -> Iterator[tuple[Flow, Flow]]:
    by_value: dict[tuple[int, ...], list[Flow]] = {}
    for flow in some:
        by_value.setdefault(_projected(flow, common), []).append(flow)
    for flow in others:
        for other in by_value.get(_projected(flow, common), ()):
            if flow.actions != other.actions:
                yield other, flow


def _mask(name: str, mask: int | None) -> int:
    return FIELD[name].full_mask if mask is None else mask


def _projected(flow: Flow, common: tuple[tuple[str, int], ...]) -> tuple[int, ...]:
    values = {part.field: part.value for part in flow.match}
    return tuple(values[name] & mask for name, mask in common)
