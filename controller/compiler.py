"""NetworkState -> one FlowTable per node. Each object is compiled by itself and its rules are kept, so that a change
costs what the changed objects cost. A flow that several nodes hold is one object, encoded once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from cluster.model import Node
from controller.classifier import classifier
from controller.conntrack import conntrack
from controller.direct import direct
from controller.flow import Flow, FlowTable, Group, PipelineError, Rules, Translation, overlaps
from controller.forwarding import forwarding
from controller.hairpin import hairpin
from controller.host_ports import granted, host_ports
from controller.output import output
from controller.outside import outside
from controller.overlay import overlay
from controller.policies import Policies, own_traffic, policies
from controller.service_frontends import taken
from controller.services import services
from controller.spoof_guard import spoof_guard
from controller.state import NetworkState, ObjectKey

GENERATION = "Generation"
"""No object of the API: what changes on a node with its policies, and nothing else of the node's."""


def compile(state: NetworkState) -> Mapping[str, FlowTable]:
    """What every node's switch must hold. Raises PipelineError also for flows that overlap (a bug in a feature)."""
    compiler = Compiler(state)
    tables = compiler.tables
    for node, table in tables.items():
        for one, other in overlaps(table):
            raise PipelineError(f"on {node} these overlap: {one} ({one.owner}) and {other} ({other.owner})")
    return tables


def _all_keys(state: NetworkState) -> list[ObjectKey]:
    keys = [("Cluster", state.cluster.name)]
    keys += [(kind, node.name) for kind in ("Node", GENERATION) for node in state.cluster.nodes]
    keys += [("Pod", key) for key in state.pods]
    keys += [("Service", key) for key in state.services]
    keys += [("Namespace", key) for key in state.namespaces]
    return keys + [("NetworkPolicy", key) for key in state.policies]


def _rules(state: NetworkState, key: ObjectKey, compiled: Policies) -> list[Rules]:
    """Every feature's rules for one object; none when the object is gone."""
    kind, name = key
    cluster = state.cluster
    match kind:
        case "Cluster":
            made = [conntrack(cluster), services(cluster), policies(cluster), forwarding(cluster)]
            return [*made, outside(cluster), output(cluster)]
        case "Node":
            return _node_rules(state, cluster.node_by_name[name])
        case "Generation":
            return [classifier(cluster, cluster.node_by_name[name], compiled.generations.of(name))]
        case "Pod" if name in state.pods:
            pod = state.pods[name]
            isolated = compiled.isolated(pod)
            return [
                spoof_guard(cluster, pod, isolated),
                own_traffic(pod, isolated),
                forwarding(pod, isolated),
                hairpin(cluster, pod),
                host_ports(cluster, pod, granted(state, pod)),
            ]
        case "Service" if name in state.services:
            service, slices = state.services[name], state.endpoint_slices.get(name, {}).values()
            return [services(service, slices, cluster, taken(service, state))]
        case _:
            return []


def _node_rules(state: NetworkState, node: Node) -> list[Rules]:
    cluster = state.cluster
    return [
        spoof_guard(cluster, node),
        hairpin(cluster, node),
        policies(node),
        forwarding(node),
        overlay(cluster, node),
        direct(cluster, node),
        outside(cluster, node),
        output(node),
    ]


def _translations(rules: Iterable[Rules]) -> frozenset[Translation]:
    return frozenset().union(*(each.translations for each in rules))


def _taken_over(rules: Iterable[Rules]) -> frozenset[Translation]:
    return frozenset().union(*(each.taken_over for each in rules))


class Compiler:
    """Keeps the rules of every object of one cluster. A changed Cluster is another Compiler."""

    def __init__(self, state: NetworkState) -> None:
        self.tables: dict[str, FlowTable] = {node.name: FlowTable() for node in state.cluster.nodes}
        self.policies = Policies(state.cluster)
        self.ended: list[Translation] = []
        """Translations that no object calls for any more; whoever tells the switches empties it."""
        self.translations: Counter[Translation] = Counter()
        self._rules: dict[ObjectKey, list[Rules]] = {}
        self.update(state, _all_keys(state))

    def update(self, state: NetworkState, changed: Iterable[ObjectKey]) -> frozenset[str]:
        """Compile these objects again; the nodes whose table changed.

        All old rules go before any new ones come: an address may have moved from one object to another.
        """
        policy_changes = self.policies.update(state, changed)
        changed = {*changed, *(("Pod", key) for key in policy_changes.pods)}
        changed = list(changed | {(GENERATION, node) for node in policy_changes.nodes})
        made = {key: _rules(state, key, self.policies) for key in changed}
        touched: set[str] = set()
        for node, flow in policy_changes.flows.removed:
            self.tables[node].remove((flow,))
            touched.add(node)
        for key in changed:
            old = self._rules.get(key, ())
            before, now = _translations(old), _translations(made[key])
            self.translations.update(now)
            self.translations.subtract(before)
            self.ended += sorted(before - now | _taken_over(made[key]) - _taken_over(old), key=repr)
            for node, flows, groups in self._parts(self._rules.pop(key, ())):
                self.tables[node].remove(flows, groups)
                touched.add(node)
        for key, rules in made.items():
            for node, flows, groups in self._parts(rules):
                self.tables[node].add(flows, groups)
                touched.add(node)
            if rules:
                self._rules[key] = rules
        for node, flow in policy_changes.flows.added:
            self.tables[node].add((flow,))
            touched.add(node)
        return frozenset(touched)

    def _parts(self, several: Iterable[Rules]) -> Iterator[tuple[str, tuple[Flow, ...], tuple[Group, ...]]]:
        """What these rules put on which node."""
        for rules in several:
            if rules.everywhere or rules.groups:
                yield from ((node, rules.everywhere, rules.groups) for node in self.tables)
            yield from ((node, flows, ()) for node, flows in rules.on.items())
