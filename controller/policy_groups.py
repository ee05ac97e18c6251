"""Which pods a selection or an address block has, kept up with every change of a pod or a namespace.

A group is asked about by many rules; it is found for each pod once, and tells its members' comings and goings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cluster.model import IPAddress, PodInterface
from cluster.well_known import NAMESPACE_NAME_LABEL
from controller.policy_model import Block, NamedPort, Peer, Selector, selects


@dataclass(frozen=True, slots=True)
class PodIdentity:
    """What policies know a pod by: its labels, and the number of each named port by (protocol, name)."""

    labels: Mapping[str, str]
    named_ports: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class GroupKey:
    """Pods of `peer`; with `named_port`, only those that have it, each in the bucket of its number."""

    peer: Peer
    named_port: NamedPort | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """`bucket` is the number of the group's named port in this pod; None where the group names no port."""

    bucket: int | None
    node: str
    addresses: tuple[IPAddress, ...]


class Listener(Protocol):
    """Told of each change; None = was not, is not a member."""

    def changed(self, pod: str, before: Member | None, after: Member | None) -> None: ...


@dataclass(eq=False, slots=True)
class Group:
    """`parts` are told before `makers`: what the last member of a bucket left must have heard so before it goes."""

    key: GroupKey
    members: dict[str, Member] = field(default_factory=dict)
    parts: list[Listener] = field(default_factory=list)
    makers: list[Listener] = field(default_factory=list)

    def put(self, pod: str, after: Member | None) -> None:
        before = self.members.get(pod)
        if before == after:
            return
        if after is None:
            del self.members[pod]
        else:
            self.members[pod] = after
        for listener in (*self.parts, *self.makers):
            listener.changed(pod, before, after)

    def in_bucket(self, bucket: int | None) -> Iterator[Member]:
        return (member for member in self.members.values() if member.bucket == bucket)


class Groups:
    """All groups in use, and the pods that they are made of."""

    def __init__(self) -> None:
        self._groups: dict[GroupKey, Group] = {}
        self._at: dict[_Place, dict[GroupKey, Group]] = {}
        self._groups_of: dict[str, dict[GroupKey, Group]] = {}
        self._pods: dict[str, tuple[PodInterface, PodIdentity]] = {}
        self._pods_in: dict[str, set[str]] = {}
        self._pods_with: dict[tuple[str, str], set[str]] = {}
        self._namespace_labels: dict[str, Mapping[str, str]] = {}
        self._selected: dict[tuple[Selector, str], bool] = {}

    def get(self, key: GroupKey) -> Group:
        """The group, with its members; made when it is new."""
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(key)
            for place in _places(key.peer):
                self._at.setdefault(place, {})[key] = group
            for pod in self._candidates(key.peer):
                member = self._placed(key, pod)
                if member is not None:
                    group.members[pod] = member
                    self._groups_of[pod][key] = group
        return group

    def release(self, group: Group) -> None:
        """Forget the group if nobody listens any more."""
        if not group.parts and not group.makers and self._groups.get(group.key) is group:
            del self._groups[group.key]
            for place in _places(group.key.peer):
                del self._at[place][group.key]
            for pod in group.members:
                del self._groups_of[pod][group.key]

    def put_pod(self, key: str, interface: PodInterface | None, identity: PodIdentity | None) -> None:
        """A pod is new, changed or gone (None)."""
        self._forget(key)
        self._groups_of.setdefault(key, {})
        if interface is not None and identity is not None:
            self._pods[key] = (interface, identity)
            self._pods_in.setdefault(interface.namespace, set()).add(key)
            for label in identity.labels.items():
                self._pods_with.setdefault(label, set()).add(key)
        self._place(key)
        if interface is None:
            del self._groups_of[key]

    def put_namespace(self, namespace: str, labels: Mapping[str, str]) -> None:
        """A namespace has other labels now; {} when it is gone."""
        self._namespace_labels[namespace] = labels
        for known in [known for known in self._selected if known[1] == namespace]:
            del self._selected[known]
        for pod in list(self._pods_in.get(namespace, ())):
            self._place(pod)

    def _place(self, pod: str) -> None:
        """Put the pod into its groups: those where it was, and those where it may be."""
        own = self._groups_of[pod]
        for key, group in {**own, **self._possible(pod)}.items():
            member = self._placed(key, pod)
            if member is None:
                own.pop(key, None)
            else:
                own[key] = group
            group.put(pod, member)

    def _possible(self, pod: str) -> dict[GroupKey, Group]:
        known = self._pods.get(pod)
        if known is None:
            return {}
        interface, identity = known
        possible: dict[GroupKey, Group] = {}
        for where in (interface.namespace, None, *self._labels_of(interface.namespace).items()):
            for label in (None, *identity.labels.items()):
                possible |= self._at.get((where, label), {})
        return possible

    def _forget(self, key: str) -> None:
        known = self._pods.pop(key, None)
        if known is not None:
            self._pods_in[known[0].namespace].discard(key)
            for label in known[1].labels.items():
                self._pods_with[label].discard(key)

    def _candidates(self, peer: Peer) -> Iterable[str]:
        """Few pods, among them all that may be members."""
        if isinstance(peer, Block):
            return list(self._pods)
        sets: list[set[str]] = [] if peer.namespace is None else [self._pods_in.get(peer.namespace, set())]
        for requirement in peer.pods:
            if requirement.operator == "In":
                found = [self._pods_with.get((requirement.key, value), set()) for value in requirement.values]
                sets.append({pod for some in found for pod in some})
        if not sets:
            return list(self._pods)
        fewest: set[str] = min(sets, key=len)
        return list(fewest)

    def _placed(self, key: GroupKey, pod: str) -> Member | None:
        known = self._pods.get(pod)
        if known is None:
            return None
        interface, identity = known
        bucket = None
        if key.named_port is not None:
            bucket = identity.named_ports.get((key.named_port.protocol, key.named_port.name))
            if bucket is None:
                return None
        addresses = self._addresses(key.peer, interface, identity)
        return Member(bucket, interface.node, addresses) if addresses else None

    def _addresses(self, peer: Peer, interface: PodInterface, identity: PodIdentity) -> tuple[IPAddress, ...]:
        """Those by which this pod is a member; none: it is not."""
        if isinstance(peer, Block):
            return tuple(
                address
                for address in interface.addresses
                if address in peer.cidr and not any(address in hole for hole in peer.excepted)
            )
        if peer.namespace is None:
            here = self._in_selected_namespace(peer.namespaces, interface.namespace)
        else:
            here = peer.namespace == interface.namespace
        return interface.addresses if here and selects(peer.pods, identity.labels) else ()

    def _in_selected_namespace(self, selector: Selector, namespace: str) -> bool:
        known = self._selected.get((selector, namespace))
        if known is None:
            known = self._selected[selector, namespace] = selects(selector, self._labels_of(namespace))
        return known

    def _labels_of(self, namespace: str) -> Mapping[str, str]:
        return {**self._namespace_labels.get(namespace, {}), NAMESPACE_NAME_LABEL: namespace}


_Label = tuple[str, str]
_Place = tuple[str | _Label | None, _Label | None]
"""(namespace, or a label of it; label) that every member has; None: any."""


def _places(peer: Peer) -> list[_Place]:
    """Where a group is looked for: at one of the labels that its members and their namespaces must have, where they must
    have one. However many others there are, a pod is compared only with the groups at its own.
    """
    if isinstance(peer, Block):
        return [(None, None)]
    namespaces = [peer.namespace] if peer.namespace is not None else _required(peer.namespaces)
    return [(namespace, label) for namespace in namespaces for label in _required(peer.pods)]


def _required(selector: Selector) -> list[_Label | None]:
    """Labels of which one is there; [None] where none need be."""
    required = next((each for each in selector if each.operator == "In"), None)
    return [(required.key, value) for value in required.values] if required else [None]
