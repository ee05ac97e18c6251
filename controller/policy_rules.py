"""One NetworkPolicy, compiled: the isolation of its subjects, and the parts of its rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from cluster.policy_names import Direction, RuleName
from controller.flow import digest
from controller.policy_clauses import Clauses
from controller.policy_groups import Group, GroupKey, Groups
from controller.policy_isolation import Isolation, Isolations
from controller.policy_matches import Word, network_word, port_words, prefixes
from controller.policy_model import DIRECTIONS, EVERY_POD, Block, NamedPort, NetworkPolicy, PortRange, Rule, Selection
from controller.policy_parts import PEER_SIDE, Content, Maker, Part

CONJUNCTION_BITS = 32
PRIORITY_SHIFTS = 8
"""One message holds some 4,000 conjunctions of a match; policies of different namespaces share these priorities."""


class Numbers:
    """The conjunctions' numbers, and the rule behind each."""

    def __init__(self) -> None:
        self.rules: dict[int, RuleName] = {}
        self._identities: dict[int, str] = {}

    def take(self, name: RuleName, content: str) -> int:
        """A digest of what the conjunction is, so that another content is another conjunction, and no packet sees half
        of one and half of the other. Where two would share a number, the later takes the next.
        """
        identity = f"{name} {content}"
        number = digest(identity.encode(), CONJUNCTION_BITS) or 1
        while self._identities.get(number, identity) != identity:
            number = number % ((1 << CONJUNCTION_BITS) - 1) + 1
        self._identities[number], self.rules[number] = identity, name
        return number

    def release(self, number: int) -> None:
        del self.rules[number], self._identities[number]


@dataclass(frozen=True, slots=True)
class Shared:
    """What all policies of a cluster are compiled with."""

    ip_versions: tuple[int, ...]
    groups: Groups
    clauses: Clauses
    numbers: Numbers
    isolations: Isolations


class CompiledPolicy:
    """What one policy makes, from `begin` to `end`."""

    def __init__(self, policy: NetworkPolicy, shared: Shared) -> None:
        self._policy = policy
        self._shared = shared
        self._groups: dict[GroupKey, Group] = {}
        self._numbers: set[int] = set()
        self._isolations: list[Isolation] = []
        self._rules: list[Part | Maker] = []

    def begin(self) -> None:
        for direction in DIRECTIONS:
            rules = self._policy.rules(direction)
            if rules is None:
                continue
            subjects = self._group(GroupKey(self._policy.subjects))
            self._isolations.append(Isolation(direction, subjects, self._shared.isolations))
            for index, rule in enumerate(rules):
                self._rules += self._parts(RuleName(self._policy.key, direction, index), rule)
        for each in (*self._isolations, *self._rules):
            each.begin()

    def end(self) -> None:
        for each in (*self._rules, *self._isolations):
            each.end()
        for group in self._groups.values():
            self._shared.groups.release(group)
        for number in self._numbers:
            self._shared.numbers.release(number)

    def isolates(self, pod: str, direction: Direction) -> bool:
        return any(each.direction == direction and pod in each.subjects.members for each in self._isolations)

    def _parts(self, name: RuleName, rule: Rule) -> Iterator[Part | Maker]:
        ports = rule.ports or ()
        numbered = tuple(port for port in ports if isinstance(port, PortRange))
        named = dict.fromkeys(port for port in ports if isinstance(port, NamedPort))
        if numbered or rule.ports is None:
            yield self._part(name, rule, numbered if rule.ports else None)
        for port in named:
            bearers = rule.destinations(self._policy.subjects, name.direction)
            groups = tuple(self._group(GroupKey(peer, port)) for peer in dict.fromkeys(bearers))
            yield Maker(partial(self._named_part, name, rule, port), groups)

    def _named_part(self, name: RuleName, rule: Rule, port: NamedPort, number: int) -> Part:
        """The part for the pods in which the port has this number."""
        ports = (PortRange(port.protocol, number, number),)
        return self._part(name, rule, ports, port, number)

    def _part(
        self, name: RuleName, rule: Rule, ports: tuple[PortRange, ...] | None,
        named: NamedPort | None = None, bucket: int | None = None,
    ) -> Part:  # fmt: skip
        subjects = self._policy.subjects
        of_subjects, of_peers = (named, None) if name.direction == "ingress" else (None, named)
        peers: tuple[Group, ...] | None = None
        blocks: tuple[Word, ...] = ()
        if rule.peers is not None or of_peers is not None:
            # A named port belongs to pods, so a block stands for the pods in it there.
            selected = [peer for peer in rule.peers or (EVERY_POD,) if of_peers or isinstance(peer, Selection)]
            peers = tuple(self._group(GroupKey(peer, of_peers)) for peer in dict.fromkeys(selected))
            if of_peers is None:
                blocks = tuple(self._block_words(name.direction, rule))
        number = self._shared.numbers.take(name, f"{subjects} {rule} {named} {bucket}")
        self._numbers.add(number)
        content = Content(
            direction=name.direction,
            number=number,
            subjects=self._group(GroupKey(subjects, of_subjects)),
            peers=peers,
            blocks=blocks,
            ports=None if ports is None else tuple(self._port_words(ports)),
            bucket=bucket,
            priority_shift=digest(name.policy.partition("/")[0].encode(), 32) % PRIORITY_SHIFTS,
        )
        return Part(content, self._shared.clauses)

    def _block_words(self, direction: Direction, rule: Rule) -> Iterator[Word]:
        for peer in rule.peers or ():
            if isinstance(peer, Block) and peer.cidr.version in self._shared.ip_versions:
                yield from (network_word(PEER_SIDE[direction], network) for network in prefixes(peer))

    def _port_words(self, ports: Iterable[PortRange]) -> Iterator[Word]:
        return (word for port in ports for version in self._shared.ip_versions for word in port_words(port, version))

    def _group(self, key: GroupKey) -> Group:
        return self._groups.setdefault(key, self._shared.groups.get(key))
