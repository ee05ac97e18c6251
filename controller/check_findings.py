"""Policies and rules that do nothing: not wrong, but hardly what was meant. Told with their place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cluster.policy_names import Direction
from cluster.problems import Problem
from cluster.reading.documents import Document
from cluster.reading.findings import Finding, Path, found
from controller.policy_groups import GroupKey, Groups
from controller.policy_matches import prefixes
from controller.policy_model import (
    DIRECTIONS,
    PEERS_FIELD,
    NamedPort,
    NetworkPolicy,
    Peer,
    PortRange,
    Rule,
    Selection,
    network_policy,
)
from controller.state import NetworkState

Spec = Mapping[str, Any]


def useless(documents: Iterable[Document], state: NetworkState) -> list[Problem]:
    """What stands in these documents without any effect on the pods that there are."""
    groups = Groups()
    for namespace, labels in state.namespaces.items():
        groups.put_namespace(namespace, labels)
    for key, pod in state.pods.items():
        groups.put_pod(key, pod, state.identities[key])
    return [
        document.problem(finding)
        for document in documents
        if document.data.get("kind") == "NetworkPolicy"
        for finding in _findings(document.data["spec"], network_policy(document.data), groups, state)
    ]


def _findings(spec: Spec, policy: NetworkPolicy, groups: Groups, state: NetworkState) -> Iterator[Finding]:
    for direction in DIRECTIONS:
        if spec.get(direction) and policy.rules(direction) is None:
            said = f"these rules do nothing: policyTypes does not have {direction.capitalize()}"
            yield Finding(("spec", direction), said)
    if not groups.get(GroupKey(policy.subjects)).members:
        yield Finding(("spec", "podSelector"), "selects no pod: the policy isolates nobody")
        return
    for direction in DIRECTIONS:
        for index, rule in enumerate(policy.rules(direction) or ()):
            path: Path = ("spec", direction, index)
            yield from _peer_findings(path, direction, rule, groups, state)
            yield from _port_findings(path, direction, policy, rule, groups)


def _peer_findings(
    path: Path, direction: Direction, rule: Rule, groups: Groups, state: NetworkState
) -> Iterator[Finding]:
    reasons = [_empty(peer, groups, state) for peer in rule.peers or ()]
    for index, said in enumerate(reasons):
        if said:
            alone = "; no other peer is in this rule, which therefore allows nothing" if all(reasons) else ""
            yield Finding((*path, PEERS_FIELD[direction], index), said + alone)


def _empty(peer: Peer, groups: Groups, state: NetworkState) -> str:
    if isinstance(peer, Selection):
        return "" if groups.get(GroupKey(peer)).members else "selects no pod"
    if peer.cidr.version not in state.ip_versions:
        return f"the cluster has no IPv{peer.cidr.version}"
    return "" if prefixes(peer) else "nothing is left of the block without its exceptions"


def _port_findings(
    path: Path, direction: Direction, policy: NetworkPolicy, rule: Rule, groups: Groups
) -> Iterator[Finding]:
    """A name must be some destination pod's, with that protocol."""
    bearers = rule.destinations(policy.subjects, direction)
    ranges = [port for port in rule.ports or () if isinstance(port, PortRange)]
    for index, port in enumerate(rule.ports or ()):
        here = (*path, "ports", index)
        if isinstance(port, NamedPort):
            known = [groups.get(GroupKey(peer, port)) for peer in bearers]
            if not any(group.members for group in known):
                whose = "selected pod" if direction == "ingress" else "pod among the peers"
                yield Finding((*here, "port"), found(port.name, f"no {whose} has a {port.protocol} port of that name"))
        elif any(other != port and _covers(other, port) for other in ranges):
            yield Finding(here, "does nothing: another item of this list has these ports")


def _covers(wide: PortRange, narrow: PortRange) -> bool:
    if wide.protocol != narrow.protocol:
        return False
    if wide.first is None or wide.last is None:
        return True
    return narrow.first is not None and narrow.last is not None and (
        wide.first <= narrow.first and narrow.last <= wide.last
    )  # fmt: skip
