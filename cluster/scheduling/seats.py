"""What the scheduler knows about every node while pods come and go: what runs there, what it takes, which ports it has.

Kept up to date pod by pod (`index.py`), so that placing one pod costs the nodes and not the pods.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.draft import Key
from cluster.objects import Object, labels, name, namespace
from cluster.ownership import controller_uid
from cluster.scheduling.pod_affinity import Labels, Term, anti_affinity
from cluster.scheduling.resource_amounts import milli, pod_requests

MAX_TERMS = 256
"""Counts kept for terms that pods asked about; with every template's hash in them they would never end."""

Port = tuple[str, str, int]
"""hostIP ("" for all), protocol and hostPort."""


@dataclass(slots=True)
class Seat:
    """One node. `node` is None for a name that pods are bound to and no Node has."""

    node: Object | None = None
    allocatable: Mapping[str, int] = field(default_factory=dict)
    soft_taints: Sequence[Mapping[str, Any]] = ()
    pods: dict[Key, Object] = field(default_factory=dict)
    by_owner: Counter[str] = field(default_factory=Counter)
    requested: Counter[str] = field(default_factory=Counter)
    ports: Counter[Port] = field(default_factory=Counter)

    @property
    def labels(self) -> Labels:
        return labels(self.node) if self.node is not None else {}


class Seats:
    """All nodes, in the order of their creation, and how many pods match a term on each."""

    def __init__(self) -> None:
        self._seats: defaultdict[str, Seat] = defaultdict(Seat)
        self._order: dict[str, None] = {}
        self._node_of: dict[Key, str] = {}
        self._matching: dict[Term, Counter[str]] = {}
        self._repelling: dict[Term, Counter[str]] = {}
        self._namespaces: dict[str, Labels] = {}
        self.has_soft_taints = False
        self.verdicts: dict[str, Any] = {}
        """The scheduler's memory of which nodes suit a spec; forgotten when a node changes."""

    def nodes(self) -> Sequence[Seat]:
        return [self._seats[node] for node in self._order]

    def put_node(self, node: Object) -> None:
        seat = self._seats[name(node)]
        if seat.node is not None and not _differs(seat.node, node):
            return
        seat.node = node
        allocatable = node.get("status", {}).get("allocatable") or {}
        seat.allocatable = {resource: milli(amount) for resource, amount in allocatable.items()}
        taints = node["spec"].get("taints") or ()
        seat.soft_taints = [taint for taint in taints if taint["effect"] == "PreferNoSchedule"]
        self._order[name(node)] = None
        self._nodes_changed()

    def remove_node(self, node: str) -> None:
        self._seats[node].node = None
        self._order.pop(node, None)
        self._nodes_changed()

    def _nodes_changed(self) -> None:
        self.verdicts.clear()
        self.has_soft_taints = any(seat.soft_taints for seat in self.nodes())

    def put_namespace(self, space: str, its_labels: Labels | None) -> None:
        """None: the namespace is gone."""
        if its_labels is None:
            self._namespaces.pop(space, None)
        else:
            self._namespaces[space] = its_labels
        self._matching.clear()

    def add(self, key: Key, pod: Object) -> None:
        node = pod["spec"]["nodeName"]
        seat = self._seats[node]
        self._node_of[key] = node
        seat.pods[key] = pod
        self._count(pod, seat, 1)
        for term in anti_affinity(pod):
            self._repelling.setdefault(term, Counter())[node] += 1
        for term, counts in self._matching.items():
            if term.matches(pod, self._namespaces):
                counts[node] += 1

    def remove(self, key: Key) -> None:
        node = self._node_of.pop(key, None)
        if node is None:
            return
        seat = self._seats[node]
        pod = seat.pods.pop(key)
        self._count(pod, seat, -1)
        for term in anti_affinity(pod):
            counts = self._repelling[term]
            counts[node] -= 1
            if not +counts:
                del self._repelling[term]
        for term, counts in self._matching.items():
            if term.matches(pod, self._namespaces):
                counts[node] -= 1

    def matching(self, term: Term) -> Counter[str]:
        """How many pods on each node a term matches."""
        if term not in self._matching:
            if len(self._matching) >= MAX_TERMS:
                self._matching.clear()
            self._matching[term] = Counter(
                node
                for node, seat in self._seats.items()
                for pod in seat.pods.values()
                if term.matches(pod, self._namespaces)
            )
        return self._matching[term]

    def matches(self, term: Term, pod: Mapping[str, Any]) -> bool:
        return term.matches(pod, self._namespaces)

    def labels_of(self, node: str) -> Labels:
        """The labels of a node; none of one that is not there."""
        return self._seats[node].labels if node in self._seats else {}

    def repelling(self, pod: Mapping[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
        """Topology key and domains where pods are that want none like this one near."""
        for term, counts in self._repelling.items():
            if term.matches(pod, self._namespaces):
                domains = {self._seats[node].labels.get(term.topology_key) for node in +counts}
                yield term.topology_key, frozenset(domain for domain in domains if domain is not None)

    def _count(self, pod: Mapping[str, Any], seat: Seat, sign: int) -> None:
        owner = owner_of(pod)
        seat.by_owner[owner] += sign
        if not seat.by_owner[owner]:
            del seat.by_owner[owner]
        for resource, amount in pod_requests(pod["spec"]).items():
            seat.requested[resource] += sign * amount
        for port in host_ports(pod["spec"]):
            seat.ports[port] += sign
            if not seat.ports[port]:
                del seat.ports[port]


def owner_of(pod: Mapping[str, Any]) -> str:
    """What replicas have in common; a bare pod is its own owner."""
    return controller_uid(pod) or f"{namespace(pod)}/{name(pod)}"


def host_ports(spec: Mapping[str, Any]) -> Sequence[Port]:
    return [
        (port.get("hostIP", "").replace("0.0.0.0", ""), port.get("protocol", "TCP"), port["hostPort"])
        for container in (*(spec.get("initContainers") or ()), *spec["containers"])
        for port in container.get("ports") or ()
        if port.get("hostPort")
    ]


def _differs(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """In what the scheduler reads of a node."""
    return (
        labels(old) != labels(new)
        or old["spec"] != new["spec"]
        or old.get("status", {}).get("allocatable") != new.get("status", {}).get("allocatable")
    )

