"""NetworkPolicies as the pipeline sees them: hashable, canonical, nothing left to default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from cluster.model import IPNetwork
from cluster.objects import Object, name, namespace
from cluster.policy_names import Direction

DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")
PEERS_FIELD: Mapping[Direction, str] = {"ingress": "from", "egress": "to"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a label. `values` are sorted."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """apimachinery, meta/v1, LabelSelectorOperator: NotIn and DoesNotExist hold where the key is missing."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
        raise ValueError(f"unknown operator {self.operator!r}")


Selector = tuple[Requirement, ...]
"""All of them must hold; none: everything is selected."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Pods by their labels: in one `namespace`, or, where that is None, in all whose labels `namespaces` selects."""

    namespace: str | None
    namespaces: Selector
    pods: Selector


EVERY_POD = Selection(None, (), ())


@dataclass(frozen=True, slots=True)
class Block:
    """Addresses of `cidr` but those of `excepted`."""

    cidr: IPNetwork
    excepted: tuple[IPNetwork, ...] = ()


Peer = Selection | Block


@dataclass(frozen=True, slots=True)
class PortRange:
    """`first` … `last`, inclusive; both None: every port of the protocol."""

    protocol: str
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class NamedPort:
    """Whatever number the destination pod gives to this name."""

    protocol: str
    name: str


@dataclass(frozen=True, slots=True)
class Rule:
    """None: not restricted by peers; not restricted by ports (of any protocol)."""

    peers: tuple[Peer, ...] | None
    ports: tuple[PortRange | NamedPort, ...] | None

    def destinations(self, subjects: Selection, direction: Direction) -> tuple[Peer, ...]:
        """Who is connected to under this rule. A named port is theirs."""
        return (subjects,) if direction == "ingress" else self.peers or (EVERY_POD,)


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """`ingress` is None when the policy does not isolate its subjects for ingress; `egress` likewise."""

    key: str
    subjects: Selection
    ingress: tuple[Rule, ...] | None
    egress: tuple[Rule, ...] | None

    def rules(self, direction: Direction) -> tuple[Rule, ...] | None:
        return self.ingress if direction == "ingress" else self.egress


def network_policy(obj: Object) -> NetworkPolicy:
    spec, here = obj["spec"], namespace(obj)
    # networking.k8s.io/v1, policyTypes: "policies that contain an egress section are assumed to affect egress, and all
    # policies … are assumed to affect ingress".
    types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    return NetworkPolicy(
        key=f"{here}/{name(obj)}",
        subjects=Selection(here, (), selector(spec.get("podSelector") or {})),
        ingress=_rules(spec.get("ingress"), "ingress", here) if "Ingress" in types else None,
        egress=_rules(spec.get("egress"), "egress", here) if "Egress" in types else None,
    )


def selector(spec: Mapping[str, Any]) -> Selector:
    """A LabelSelector in canonical form."""
    equal = {Requirement(key, "In", (value,)) for key, value in (spec.get("matchLabels") or {}).items()}
    others = {
        Requirement(each["key"], each["operator"], tuple(sorted(each.get("values") or ())))
        for each in spec.get("matchExpressions") or ()
    }
    return tuple(sorted(equal | others, key=lambda each: (each.key, each.operator, each.values)))


def selects(wanted: Selector, labels: Mapping[str, str]) -> bool:
    return all(requirement.holds(labels) for requirement in wanted)


def _rules(rules: list[Any] | None, direction: Direction, here: str) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            peers=tuple(_peer(peer, here) for peer in rule.get(PEERS_FIELD[direction]) or ()) or None,
            ports=tuple(_port(port) for port in rule.get("ports") or ()) or None,
        )
        for rule in rules or ()
    )


def _peer(peer: Mapping[str, Any], here: str) -> Peer:
    block = peer.get("ipBlock")
    if block is not None:
        holes = tuple(ip_network(hole, strict=False) for hole in block.get("except") or ())
        return Block(ip_network(block["cidr"], strict=False), holes)
    pods = selector(peer.get("podSelector") or {})
    namespaces = peer.get("namespaceSelector")
    return Selection(here, (), pods) if namespaces is None else Selection(None, selector(namespaces), pods)


def _port(port: Mapping[str, Any]) -> PortRange | NamedPort:
    protocol, number = port.get("protocol") or "TCP", port.get("port")
    if isinstance(number, str):
        return NamedPort(protocol, number)
    end = port.get("endPort")
    return PortRange(protocol, number, number if end is None else end)
