"""What the control loops look up: who owns what, which pods have a label, what is on a node, what is in a namespace.

Kept up to date with every change, so that a loop finds what concerns one object without looking at all of them. It
holds keys only; the objects are the draft's. Everything in it follows from the objects: after a restart it is made
anew from them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cluster.draft import Key
from cluster.model import Cluster
from cluster.objects import Object, labels, namespace
from cluster.ownership import controller_uid, is_finished, owner_uids
from cluster.scheduling.addresses import Numbers
from cluster.scheduling.seats import Seats
from cluster.selectors import matches, matches_labels

Keys = dict[Key, None]
"""A set of keys in the order of their coming."""

SELECTING_KINDS = frozenset(("DaemonSet", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"))
"""Kinds that take pods without an owner into their care if they match their selector."""


class Index:
    def __init__(self, cluster: Cluster) -> None:
        self.key_of_uid: dict[str, Key] = {}
        self.serial: dict[Key, int] = {}
        """Objects in the order of their creation."""
        self.unbound: Keys = {}
        """Pods that wait for a node."""
        self.seats = Seats()
        self.numbers = Numbers(cluster)
        self._owned: defaultdict[str, Keys] = defaultdict(dict)
        self._pods_with: defaultdict[tuple[str, str, str], Keys] = defaultdict(dict)
        self._pods_on: defaultdict[str, Keys] = defaultdict(dict)
        self._orphans: defaultdict[str, Keys] = defaultdict(dict)
        self._content: defaultdict[str, Keys] = defaultdict(dict)
        self._services_for: defaultdict[tuple[str, str, str], Keys] = defaultdict(dict)
        self._by_kind: defaultdict[tuple[str, str], Keys] = defaultdict(dict)
        self._created = 0

    def update(self, key: Key, old: Object | None, new: Object | None) -> None:
        """An object was `old` and is `new` now (None: it is not there)."""
        if old is not None and (new is None or old["metadata"]["uid"] != new["metadata"]["uid"]):
            self._remove(key, old)
            old = None
        if new is None:
            return
        if old is None:
            self._add(key, new)
        else:
            self._change(key, old, new)

    def owned(self, uid: str, kind: str | None = None) -> list[Key]:
        """What names this uid as an owner, oldest first."""
        return [key for key in self._owned.get(uid, ()) if kind is None or key[0] == kind]

    def in_namespace(self, space: str, kind: str | None = None) -> list[Key]:
        return list(self._content.get(space, ()) if kind is None else self._by_kind.get((kind, space), ()))

    def pods_on(self, node: str) -> list[Key]:
        return list(self._pods_on.get(node, ()))

    def orphans(self, space: str) -> list[Key]:
        """Pods without a controller."""
        return list(self._orphans.get(space, ()))

    def candidates(self, space: str, selector: Mapping[str, str]) -> Sequence[Key]:
        """The pods with the rarest label of a selector, oldest first; all pods of the namespace if it has none."""
        found: list[Keys] = [self._pods_with.get((space, key, value), {}) for key, value in selector.items()]
        rarest = min(found, key=lambda keys: len(keys)) if found else dict.fromkeys(self.in_namespace(space, "Pod"))
        return sorted(rarest, key=self.serial.__getitem__)

    def services_that_may_select(self, pod: Mapping[str, Any]) -> Iterator[Key]:
        """Services that ask for one label of this pod at least; whether for others too is not checked."""
        space = namespace(pod)
        for key, value in labels(pod).items():
            yield from self._services_for.get((space, key, value), ())

    def pod_count(self) -> int:
        return sum(len(keys) for (kind, _), keys in self._by_kind.items() if kind == "Pod")

    def _add(self, key: Key, obj: Object) -> None:
        self._created += 1
        self.serial[key] = self._created
        self.key_of_uid[obj["metadata"]["uid"]] = key
        self._content[key[1]][key] = None
        self._by_kind[key[0], key[1]][key] = None
        for uid in owner_uids(obj):
            self._owned[uid][key] = None
        if key[0] == "Pod":
            self._add_pod(key, obj, is_new=True)
        elif key[0] == "Service":
            self._file_service(key, obj)
        elif key[0] == "Node":
            self.seats.put_node(obj)
        elif key[0] == "Namespace":
            self.seats.put_namespace(key[2], labels(obj))

    def _remove(self, key: Key, obj: Object) -> None:
        del self.serial[key]
        self.key_of_uid.pop(obj["metadata"]["uid"], None)
        _drop(self._content, key[1], key)
        _drop(self._by_kind, (key[0], key[1]), key)
        for uid in owner_uids(obj):
            _drop(self._owned, uid, key)
        if key[0] == "Pod":
            self._remove_pod(key, obj)
        elif key[0] == "Service":
            self._unfile_service(key, obj)
        elif key[0] == "Node":
            self.seats.remove_node(key[2])
        elif key[0] == "Namespace":
            self.seats.put_namespace(key[2], None)

    def _change(self, key: Key, old: Object, new: Object) -> None:
        before, after = owner_uids(old), owner_uids(new)
        if before != after:
            for uid in before:
                _drop(self._owned, uid, key)
            for uid in after:
                self._owned[uid][key] = None
        if key[0] == "Pod":
            self._change_pod(key, old, new)
        elif key[0] == "Service" and old["spec"].get("selector") != new["spec"].get("selector"):
            self._unfile_service(key, old)
            self._file_service(key, new)
        elif key[0] == "Node":
            self.seats.put_node(new)
        elif key[0] == "Namespace" and labels(old) != labels(new):
            self.seats.put_namespace(key[2], labels(new))

    def _change_pod(self, key: Key, old: Object, new: Object) -> None:
        """Most changes of a pod are statuses, and leave it where it is."""
        if _place(old) != _place(new) or labels(old) != labels(new) or owner_uids(old) != owner_uids(new):
            self._remove_pod(key, old)
            self._add_pod(key, new, is_new=False)

    def _add_pod(self, key: Key, pod: Object, is_new: bool) -> None:
        for label, value in labels(pod).items():
            self._pods_with[key[1], label, value][key] = None
        if controller_uid(pod) is None:
            self._orphans[key[1]][key] = None
        node = pod["spec"].get("nodeName")
        if node:
            self._pods_on[node][key] = None
        if is_finished(pod):
            return
        if node:
            self.seats.add(key, pod)
            self.numbers.add(pod, is_new)
        elif "deletionTimestamp" not in pod["metadata"]:
            self.unbound[key] = None

    def _remove_pod(self, key: Key, pod: Object) -> None:
        for label, value in labels(pod).items():
            _drop(self._pods_with, (key[1], label, value), key)
        _drop(self._orphans, key[1], key)
        self.unbound.pop(key, None)
        if node := pod["spec"].get("nodeName"):
            _drop(self._pods_on, node, key)
            self.seats.remove(key)
            self.numbers.remove(pod)

    def _file_service(self, key: Key, service: Object) -> None:
        # Under one of its labels: a pod that it selects has that one too.
        if selector := service["spec"].get("selector"):
            label = min(selector)
            self._services_for[key[1], label, selector[label]][key] = None

    def _unfile_service(self, key: Key, service: Object) -> None:
        if selector := service["spec"].get("selector"):
            label = min(selector)
            _drop(self._services_for, (key[1], label, selector[label]), key)


def selects(obj: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    """Does the selector of a workload, a Service or a PodDisruptionBudget choose this pod? An empty one: as its kind."""
    if namespace(obj) != namespace(pod):
        return False
    selector = obj["spec"].get("selector")
    if obj["kind"] in ("ReplicationController", "Service"):
        return bool(selector) and matches_labels(selector, labels(pod))
    if obj["kind"] == "PodDisruptionBudget":
        return matches(selector, labels(pod))
    return bool(selector) and matches(selector, labels(pod))


def match_labels(obj: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels that every pod of a selector must have."""
    selector = obj["spec"].get("selector") or {}
    found: Mapping[str, str] = (
        selector if obj["kind"] in ("ReplicationController", "Service") else selector.get("matchLabels") or {}
    )
    return found


def _place(pod: Mapping[str, Any]) -> tuple[Any, ...]:
    """What of a pod decides where the index has it, besides labels and owners."""
    ips = pod.get("status", {}).get("podIPs")
    return pod["spec"].get("nodeName"), is_finished(pod), "deletionTimestamp" in pod["metadata"], ips


def _drop(index: dict[Any, Keys], under: Any, key: Key) -> None:
    """Remove a key, and what it was under if that is empty then."""
    keys = index.get(under)
    if keys is not None:
        keys.pop(key, None)
        if not keys:
            del index[under]
