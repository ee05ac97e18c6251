"""NetworkPolicies: who is isolated, and what is allowed all the same. Kept by difference: a changed pod, namespace or
policy costs what it changes. From-scratch compilation is the same code on an empty state.

Being isolated is a bit that a pod's own flows load (SpoofGuard, L3Forwarding): no packet can find a pod that is reachable
and not yet isolated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cluster.model import REFUSING_ADDRESSES, VXLAN_PORT, Cluster, Node, PodInterface
from cluster.policy_names import Direction, RuleName
from controller.actions import Goto
from controller.flow import DIGEST_BITS, Flow, Rules, digest
from controller.match import bits, eth_type, ip_dst, ip_proto, ip_src, transport_dst
from controller.pipeline import (
    CONNTRACK_COMMIT,
    EGRESS_DEFAULT,
    EGRESS_ISOLATED,
    EGRESS_POLICY,
    ESTABLISHED,
    FROM_OWN_NODE,
    INGRESS_DEFAULT,
    INGRESS_ISOLATED,
    INGRESS_POLICY,
    L3_FORWARDING,
    OUTPUT,
    PRIORITY_GUARD,
    PRIORITY_HIGH,
    PRIORITY_NORMAL,
    PRIORITY_TOP,
    Feature,
)
from controller.policy_clauses import Clauses, FlowChanges
from controller.policy_groups import Group, GroupKey, Groups, Member
from controller.policy_matches import Word, network_word, port_words, prefixes
from controller.policy_model import (
    DIRECTIONS,
    Block,
    NamedPort,
    NetworkPolicy,
    PortRange,
    Rule,
    Selection,
)
from controller.policy_parts import PEER_SIDE, Content, Maker, Part
from controller.state import NetworkState, ObjectKey

DENYING: Mapping[str, Direction] = {EGRESS_DEFAULT: "egress", INGRESS_DEFAULT: "ingress"}
"""Where a packet of an isolated pod ends that no rule allows, and what the pod is isolated for."""
CONJUNCTION_BITS = 32
PRIORITY_SHIFTS = 8
"""One message holds some 4,000 conjunctions of a match; policies of different namespaces share these priorities."""


def policies(subject: Cluster | Node) -> Rules:
    """What is so without any policy: a few flows everywhere; two for each address of a node, on it."""
    if isinstance(subject, Node):
        return Rules(on={subject.name: tuple(_to_node(subject))})
    fixed = (
        (EGRESS_DEFAULT, PRIORITY_NORMAL, bits(EGRESS_ISOLATED, 1), ()),
        (INGRESS_POLICY, PRIORITY_TOP, bits(ESTABLISHED, 1), (Goto(OUTPUT),)),
        (INGRESS_POLICY, PRIORITY_HIGH, bits(FROM_OWN_NODE, 1), (Goto(CONNTRACK_COMMIT),)),
        (INGRESS_DEFAULT, PRIORITY_NORMAL, bits(INGRESS_ISOLATED, 1), ()),
    )
    owner = f"Cluster {subject.name}"
    flows = (
        Flow(table, priority, (match,), actions, Feature.POLICIES, owner) for table, priority, match, actions in fixed
    )
    return Rules(everywhere=tuple(flows))


def _to_node(node: Node) -> Iterator[Flow]:
    owner = f"Node {node.name}"
    families = {cidr.version for cidr in node.pod_cidrs}
    refusing = [REFUSING_ADDRESSES[version] for version in sorted(families)]
    own = dict.fromkeys((*node.gateway_addresses, *node.addresses))
    for address in (*own, *refusing):
        if address.version in families:
            to_node = (eth_type(address.version), ip_dst(address))
            # A pod that wraps packets by itself would have the node unwrap them behind all policies.
            vxlan = (*to_node, ip_proto("UDP"), transport_dst("UDP", VXLAN_PORT))
            yield Flow(INGRESS_POLICY, PRIORITY_GUARD, vxlan, (), Feature.POLICIES, owner)
            if address in own:
                # "traffic to and from the node where a Pod is running is always allowed"
                yield Flow(
                    EGRESS_POLICY, PRIORITY_TOP, to_node, (Goto(L3_FORWARDING),), Feature.POLICIES, owner
                )


def own_traffic(pod: PodInterface, isolated: Collection[Direction]) -> Rules:
    """ "A pod cannot block access to itself": through a Service of its own it meets the switch. One flow per address."""
    if "egress" not in isolated:
        return Rules()
    flows = (
        Flow(
            EGRESS_POLICY,
            PRIORITY_TOP,
            (eth_type(address.version), ip_src(address), ip_dst(address)),
            (Goto(L3_FORWARDING),),
            Feature.POLICIES,
            f"Pod {pod.key}",
        )
        for address in pod.addresses
    )
    return Rules(on={pod.node: tuple(flows)})


@dataclass(frozen=True, slots=True)
class PolicyChanges:
    """The flows that change, and the pods that are isolated otherwise than before."""

    flows: FlowChanges
    pods: Collection[str]
    nodes: Collection[str]
    """Those whose generation is another now."""


class Generations:
    """A digest, by node, of all that policies do there.

    Open vSwitch's userspace datapath modifies a cached flow by looking its packet up, and finds another one where a
    wider one has been cached meanwhile (ovs 3.1, flow_put_on_pmd); the old verdict then stays for as long as packets
    come. The generation is a register, so it is part of what a look-up of the connection goes on with: with another
    generation, no packet finds what was cached before.
    """

    def __init__(self) -> None:
        self._digests: dict[str, int] = {}
        self._touched: dict[str, int] = {}

    def of(self, node: str) -> int:
        return self._digests.get(node, 0)

    def toggle(self, node: str, part: int) -> None:
        """Take a part in, or out again."""
        self._touched.setdefault(node, self.of(node))
        self._digests[node] = self.of(node) ^ part

    def changed(self) -> frozenset[str]:
        """The nodes with another digest than at the last call."""
        changed = frozenset(node for node, before in self._touched.items() if before != self.of(node))
        self._touched.clear()
        return changed


@dataclass(eq=False, slots=True)
class _Isolation:
    """Counts, for each pod, the policies that isolate it in one direction."""

    direction: Direction
    counts: dict[str, int]
    touched: set[str]
    generations: Generations

    def changed(self, pod: str, before: Member | None, after: Member | None) -> None:
        if after is not None:
            self._count(pod, after.node, +1)
        if before is not None:
            self._count(pod, before.node, -1)

    def _count(self, pod: str, node: str, times: int) -> None:
        """Counted by pod and node: a pod of one name may come back elsewhere."""
        place = f"{pod} {node}"
        count = self.counts.get(place, 0)
        if bool(count) != bool(count + times):
            self.touched.add(pod)
            self.generations.toggle(node, digest(f"{place} {self.direction}".encode(), 32))
        if count + times:
            self.counts[place] = count + times
        else:
            self.counts.pop(place, None)

    def count_all(self, group: Group, times: int) -> None:
        for pod, member in group.members.items():
            self._count(pod, member.node, times)


@dataclass(slots=True)
class _Compiled:
    """What one policy has made, to be undone with it."""

    isolations: list[tuple[Group, _Isolation]] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    makers: list[Maker] = field(default_factory=list)
    groups: dict[GroupKey, Group] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)


class Policies:
    """All policies of a cluster, compiled."""

    def __init__(self, cluster: Cluster) -> None:
        self._ip_versions = tuple(subnet.version for subnet in cluster.pod_subnets)
        self._groups = Groups()
        self._clauses = Clauses()
        self._compiled: dict[str, _Compiled] = {}
        self._touched: set[str] = set()
        self.generations = Generations()
        self._node_of: dict[str, str] = {}
        self._isolated: dict[Direction, dict[str, int]] = {direction: {} for direction in DIRECTIONS}
        self.rules: dict[int, RuleName] = {}
        """The rule behind each conjunction."""
        self._identities: dict[int, str] = {}

    def isolated(self, pod: str) -> frozenset[Direction]:
        place = f"{pod} {self._node_of.get(pod)}"
        return frozenset(direction for direction in DIRECTIONS if place in self._isolated[direction])

    def isolating(self, pod: str, direction: Direction) -> list[str]:
        """The policies that isolate this pod."""
        return sorted(
            key
            for key, compiled in self._compiled.items()
            if any(
                isolation.counts is self._isolated[direction] and pod in group.members
                for group, isolation in compiled.isolations
            )
        )

    def rules_behind(self, flow: Flow) -> list[RuleName]:
        """The rules that a flow allows for; none for flows that are no rule's."""
        return [self.rules[number] for number in self._clauses.allowed_by.get(flow.key, ())]

    def update(self, state: NetworkState, changed: Iterable[ObjectKey]) -> PolicyChanges:
        """Take in these Pods, Namespaces and NetworkPolicies as they stand now; others are passed over."""
        changed = list(changed)
        of_kind = {kind: [key for its, key in changed if its == kind] for kind in ("NetworkPolicy", "Namespace", "Pod")}
        for key in of_kind["NetworkPolicy"]:
            self._remove(key)
        for key in of_kind["Namespace"]:
            self._groups.put_namespace(key, state.namespaces.get(key, {}))
        for key in of_kind["Pod"]:
            pod = state.pods.get(key)
            self._node_of.pop(key, None)
            if pod is not None:
                self._node_of[key] = pod.node
            self._groups.put_pod(key, pod, state.identities.get(key))
        for key in of_kind["NetworkPolicy"]:
            if key in state.policies:
                self._add(state.policies[key])
        touched = frozenset(self._touched)
        self._touched.clear()
        flows = self._clauses.flush()
        for node, flow in (*flows.removed, *flows.added):
            self.generations.toggle(node, flow.cookie & ((1 << DIGEST_BITS) - 1))
        return PolicyChanges(flows, touched, self.generations.changed())

    def _remove(self, key: str) -> None:
        compiled = self._compiled.pop(key, None)
        if compiled is None:
            return
        for maker in compiled.makers:
            maker.end()
        for part in compiled.parts:
            part.end()
        for group, isolation in compiled.isolations:
            group.parts.remove(isolation)
            isolation.count_all(group, -1)
        for group in compiled.groups.values():
            self._groups.release(group)
        for number in compiled.numbers:
            del self.rules[number], self._identities[number], self._clauses.policy_of[number]

    def _add(self, policy: NetworkPolicy) -> None:
        compiled = self._compiled[policy.key] = _Compiled()
        for direction in DIRECTIONS:
            rules = policy.rules(direction)
            if rules is None:
                continue
            group = self._group(GroupKey(policy.subjects), compiled)
            isolation = _Isolation(direction, self._isolated[direction], self._touched, self.generations)
            group.parts.append(isolation)
            isolation.count_all(group, +1)
            compiled.isolations.append((group, isolation))
            for index, rule in enumerate(rules):
                self._add_rule(policy.subjects, RuleName(policy.key, direction, index), rule, compiled)

    def _add_rule(self, subjects: Selection, name: RuleName, rule: Rule, compiled: _Compiled) -> None:
        ports = rule.ports or ()
        numbered = tuple(port for port in ports if isinstance(port, PortRange))
        named = [port for port in dict.fromkeys(ports) if isinstance(port, NamedPort)]
        if numbered or rule.ports is None:
            part = self._part(subjects, name, rule, None, numbered if rule.ports else None, None, compiled)
            part.begin()
            compiled.parts.append(part)
        for port in named:
            making = self._making(subjects, name, rule, port, compiled)
            maker = Maker(making, self._bearers(subjects, name, rule, port, compiled))
            maker.begin()
            compiled.makers.append(maker)

    def _bearers(
        self, subjects: Selection, name: RuleName, rule: Rule, port: NamedPort, compiled: _Compiled
    ) -> tuple[Group, ...]:
        """The destination pods: those that give the named port its number."""
        peers = (subjects,) if name.direction == "ingress" else rule.peers or (EVERY_POD,)
        return tuple(self._group(GroupKey(peer, port), compiled) for peer in dict.fromkeys(peers))

    def _making(
        self, subjects: Selection, name: RuleName, rule: Rule, port: NamedPort, compiled: _Compiled
    ) -> Callable[[int], Part]:
        def make(number: int) -> Part:
            ports = (PortRange(port.protocol, number, number),)
            return self._part(subjects, name, rule, port, ports, number, compiled)

        return make

    def _part(
        self, subjects: Selection, name: RuleName, rule: Rule, named: NamedPort | None,
        ports: Sequence[PortRange] | None, bucket: int | None, compiled: _Compiled,
    ) -> Part:  # fmt: skip
        of_subjects, of_peers = (named, None) if name.direction == "ingress" else (None, named)
        peers: tuple[Group, ...] | None = None
        blocks: tuple[Word, ...] = ()
        if rule.peers is not None or of_peers is not None:
            # A named port belongs to pods, so a block stands for the pods in it there.
            selected = [peer for peer in rule.peers or (EVERY_POD,) if of_peers or isinstance(peer, Selection)]
            peers = tuple(self._group(GroupKey(peer, of_peers), compiled) for peer in dict.fromkeys(selected))
            if of_peers is None:
                blocks = tuple(self._block_words(name.direction, rule))
        number = self._number(name, f"{subjects} {rule} {named} {bucket}", compiled)
        content = Content(
            direction=name.direction,
            number=number,
            subjects=self._group(GroupKey(subjects, of_subjects), compiled),
            peers=peers,
            blocks=blocks,
            ports=None if ports is None else tuple(self._port_words(ports)),
            bucket=bucket,
            priority_shift=digest(name.policy.partition("/")[0].encode(), 32) % PRIORITY_SHIFTS,
        )
        return Part(content, self._clauses)

    def _block_words(self, direction: Direction, rule: Rule) -> Iterator[Word]:
        for peer in rule.peers or ():
            if isinstance(peer, Block) and peer.cidr.version in self._ip_versions:
                yield from (network_word(PEER_SIDE[direction], network) for network in prefixes(peer))

    def _port_words(self, ports: Iterable[PortRange]) -> Iterator[Word]:
        return (word for port in ports for version in self._ip_versions for word in port_words(port, version))

    def _group(self, key: GroupKey, compiled: _Compiled) -> Group:
        return compiled.groups.setdefault(key, self._groups.get(key))

    def _number(self, name: RuleName, content: str, compiled: _Compiled) -> int:
        """The conjunction's number: a digest of what it is, so that another content is another conjunction, and no
        packet sees half of one and half of the other. Where two would share a number, the later takes the next.
        """
        identity = f"{name} {content}"
        number = digest(identity.encode(), CONJUNCTION_BITS) or 1
        while self._identities.get(number, identity) != identity:
            number = number % ((1 << CONJUNCTION_BITS) - 1) + 1
        if number not in self._identities:
            compiled.numbers.append(number)
        self._identities[number], self.rules[number] = identity, name
        self._clauses.policy_of[number] = name.policy
        return number


EVERY_POD = Selection(None, (), ())
