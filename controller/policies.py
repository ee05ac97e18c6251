"""NetworkPolicies: who is isolated, and what is allowed all the same. Kept by difference: a changed pod, namespace or
policy costs what it changes. From-scratch compilation is the same code on an empty state.

Being isolated is a bit that a pod's own flows load (SpoofGuard, L3Forwarding): no packet can find a pod that is reachable
and not yet isolated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from cluster.model import REFUSING_ADDRESSES, TUNNEL_PORTS, Cluster, Node, PodInterface
from cluster.policy_names import Direction, RuleName
from controller.actions import Goto
from controller.flow import DIGEST_BITS, Flow, Rules
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
from controller.policy_groups import Groups
from controller.policy_isolation import Generations, Isolations
from controller.policy_rules import CompiledPolicy, Numbers, Shared
from controller.state import NetworkState, ObjectKey

DENYING: Mapping[str, Direction] = {EGRESS_DEFAULT: "egress", INGRESS_DEFAULT: "ingress"}
"""Where a packet of an isolated pod ends that no rule allows, and what the pod is isolated for."""


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
            for port in TUNNEL_PORTS:
                wrapped = (*to_node, ip_proto("UDP"), transport_dst("UDP", port))
                yield Flow(INGRESS_POLICY, PRIORITY_GUARD, wrapped, (), Feature.POLICIES, owner)
            if address in own:
                # "traffic to and from the node where a Pod is running is always allowed"
                yield Flow(EGRESS_POLICY, PRIORITY_TOP, to_node, (Goto(L3_FORWARDING),), Feature.POLICIES, owner)


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


class Policies:
    """All policies of a cluster, compiled."""

    def __init__(self, cluster: Cluster) -> None:
        self.generations = Generations()
        self._isolations = Isolations(self.generations)
        self._groups = Groups()
        self._numbers = Numbers()
        self._clauses = Clauses(self._numbers.rules)
        ip_versions = tuple(subnet.version for subnet in cluster.pod_subnets)
        self._shared = Shared(ip_versions, self._groups, self._clauses, self._numbers, self._isolations)
        self._compiled: dict[str, CompiledPolicy] = {}

    @property
    def rules(self) -> Mapping[int, RuleName]:
        """The rule behind each conjunction."""
        return self._numbers.rules

    def isolated(self, pod: PodInterface) -> frozenset[Direction]:
        return self._isolations.of(pod.key, pod.node)

    def isolating(self, pod: str, direction: Direction) -> list[str]:
        """The policies that isolate this pod."""
        return sorted(key for key, compiled in self._compiled.items() if compiled.isolates(pod, direction))

    def rules_behind(self, node: str, flow: Flow) -> list[RuleName]:
        """The rules that a flow of this node allows for; none for flows that are no rule's."""
        return [self.rules[number] for number in self._clauses.allowing(node, flow.key)]

    def update(self, state: NetworkState, changed: Iterable[ObjectKey]) -> PolicyChanges:
        """Take in these Pods, Namespaces and NetworkPolicies as they stand now; others are passed over."""
        changed = list(changed)
        of_kind = {kind: [key for its, key in changed if its == kind] for kind in ("NetworkPolicy", "Namespace", "Pod")}
        for key in of_kind["NetworkPolicy"]:
            if key in self._compiled:
                self._compiled.pop(key).end()
        for key in of_kind["Namespace"]:
            self._groups.put_namespace(key, state.namespaces.get(key, {}))
        for key in of_kind["Pod"]:
            self._groups.put_pod(key, state.pods.get(key), state.identities.get(key))
        for key in of_kind["NetworkPolicy"]:
            if key in state.policies:
                self._compiled[key] = CompiledPolicy(state.policies[key], self._shared)
                self._compiled[key].begin()
        flows = self._clauses.flush()
        for node, flow in (*flows.removed, *flows.added):
            self.generations.toggle(node, flow.cookie & ((1 << DIGEST_BITS) - 1))
        return PolicyChanges(flows, self._isolations.touched(), self.generations.changed())
