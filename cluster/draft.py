"""A draft of the next state: the objects as they are, with what one request and the control loops change about them.

The loops read and write a draft only, so they are pure: the server commits it to the store in one transaction,
a dry run reads it and throws it away. Objects in a draft are shared with the store and never changed in place:
`put` a new one. A draft costs what is written to it, not what exists: it lies over the objects and copies none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any, Literal
from uuid import UUID

from cluster.names import generated
from cluster.objects import Object, name, namespace

Key = tuple[str, str, str]
"""kind, namespace ("" where the kind has none), name."""

Objects = Mapping[str, Mapping[Key, Object]]
"""All objects by kind, in the order of their creation."""

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]

Listener = Callable[[Key, Object | None, Object | None], None]
"""Told of every write: the key, the object before and after it (None: there is none)."""

_UID_SPACE = UUID("6d696e69-6e65-5465-8073-000000000000").bytes
_KEPT = ("uid", "creationTimestamp", "resourceVersion", "generation")

WITH_GENERATION = frozenset((
    "CronJob", "DaemonSet", "Deployment", "EndpointSlice", "Ingress", "IngressClass", "Job", "NetworkPolicy",
    "PodDisruptionBudget", "ReplicaSet", "ReplicationController", "StatefulSet",
))  # fmt: skip
"""Kinds whose `metadata.generation` counts the changes of everything but metadata and status."""


def key_of(obj: Mapping[str, Any]) -> Key:
    return str(obj["kind"]), namespace(obj), name(obj)


class Draft:
    """Reads through to `base` and records what is different.

    `created` counts the objects ever created; it makes the uid of an object deterministic for a fresh spec and
    another one after it was deleted and created again. `named` counts the names ever generated, so that these depend
    on nothing else, such as the heartbeats and Events that came between. `desired_changed` tells whether anything but a reported
    status changed. `listener` is told of every write.
    """

    def __init__(self, base: Objects, created: int = 0, now: str = "1970-01-01T00:00:00Z", named: int = 0) -> None:
        self._base = base
        self.now = now
        self._written: dict[str, dict[Key, Object | None]] = {}
        self._touched: dict[Key, None] = {}
        self.created = created
        self.named = named
        self.desired_changed = False
        self.listener: Listener | None = None
        self._undo: list[tuple[Key, Object | None, bool]] = []
        self._saved = (created, named, False)

    def kinds(self) -> list[str]:
        return list({**self._base, **self._written})

    def objects(self, kind: str) -> list[Object]:
        """All objects of a kind, oldest first."""
        base, written = self._base.get(kind, {}), self._written.get(kind)
        if not written:
            return list(base.values())
        # What was deleted and created again is one of the youngest.
        old = [obj if key not in written else _same(obj, written[key]) for key, obj in base.items()]
        new = [obj for key, obj in written.items() if obj is not None and _same(base.get(key), obj) is None]
        return [obj for obj in old if obj is not None] + new

    def get(self, key: Key) -> Object | None:
        written = self._written.get(key[0])
        if written is not None and key in written:
            return written[key]
        return self._base.get(key[0], {}).get(key)

    def put(self, obj: Object) -> Object:
        """Create or replace; uid, creationTimestamp and generation are set here, never taken from `obj`."""
        stored, changed = self._put(obj)
        self.desired_changed |= changed
        return stored

    def next_uid(self, key: Key) -> str:
        """The uid that an object will have if it is the next to be created."""
        return _uid("/".join((*key, str(self.created + 1))))

    def generated_name(self, prefix: str, taken: Container[str]) -> str:
        """A name that is not taken, and unlike those that were generated before."""
        self.named += 1
        return generated(prefix, self.named, taken)

    def put_all(self, objects: Iterable[Object]) -> None:
        for obj in objects:
            self.put(obj)

    def put_status(self, obj: Object) -> Object:
        """As `put`, for what no component has to realise: a status, an Event, a Lease."""
        return self._put(obj)[0]

    def merge_status(self, key: Key, uid: str, status: Mapping[str, Any]) -> Object | None:
        """Replace these top-level keys of the status. None when the object is gone, or is another one by now."""
        obj = self.get(key)
        if obj is None or obj["metadata"]["uid"] != uid:
            return None
        return self.put_status({**obj, "status": {**obj.get("status", {}), **status}})

    def delete(self, key: Key) -> bool:
        """Remove an object at once (`deletion.delete` is Kubernetes' way). True when there was such an object."""
        old = self.get(key)
        if old is None:
            return False
        self._write(key, old, None)
        self.desired_changed |= key[0] not in ("Event", "Lease")
        return True

    def changes(self) -> Iterator[tuple[ChangeType, Object]]:
        """What is different from `base`. An object that was created again is DELETED and then ADDED."""
        for _, old, new in self.touched():
            if old is not None and new is not None and old["metadata"]["uid"] == new["metadata"]["uid"]:
                yield "MODIFIED", new
                continue
            if old is not None:
                yield "DELETED", old
            if new is not None:
                yield "ADDED", new

    def touched(self) -> Iterator[tuple[Key, Object | None, Object | None]]:
        """Key, object in `base` and object now, where the two are different; in the order of the first write."""
        for key in self._touched:
            old, new = self._base.get(key[0], {}).get(key), self.get(key)
            if old != new:
                yield key, old, new

    def save(self) -> None:
        """From here on, `roll_back` takes back what is written."""
        self._undo.clear()
        self._saved = (self.created, self.named, self.desired_changed)

    def roll_back(self) -> list[tuple[Key, Object | None, Object | None]]:
        """Be as at the last `save`. Answers what was taken back: key, object before and after that, the latest first.

        The listener is not told."""
        undone = []
        for key, old, was_written in reversed(self._undo):
            undone.append((key, self.get(key), old))
            if was_written:
                self._written[key[0]][key] = old
            else:
                del self._written[key[0]][key]
        self.created, self.named, self.desired_changed = self._saved
        self._undo.clear()
        return undone

    def _put(self, obj: Object) -> tuple[Object, bool]:
        key = key_of(obj)
        old = self.get(key)
        metadata = {field: value for field, value in obj["metadata"].items() if field not in _KEPT}
        if old is None:
            metadata["uid"] = self.next_uid(key)
            self.created += 1
            metadata["creationTimestamp"] = self.now
        else:
            metadata.update((field, old["metadata"][field]) for field in _KEPT if field in old["metadata"])
        new = {**obj, "metadata": metadata}
        if new == old:
            return old, False
        if key[0] in WITH_GENERATION and (old is None or _body(old) != _body(new)):
            metadata["generation"] = metadata.get("generation", 0) + 1
        self._write(key, old, new)
        return new, True

    def _write(self, key: Key, old: Object | None, new: Object | None) -> None:
        written = self._written.setdefault(key[0], {})
        self._undo.append((key, old, key in written))
        if old is None:
            written.pop(key, None)  # so that it comes after what is there
        written[key] = new
        self._touched[key] = None
        if self.listener is not None:
            self.listener(key, old, new)


def _uid(name: str) -> str:
    """`uuid.uuid5` of `name` as text (RFC 4122, section 4.3), in a fifth of the time."""
    digest = bytearray(hashlib.sha1(_UID_SPACE + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _same(old: Object | None, new: Object | None) -> Object | None:
    """`new`, if it is a later state of `old` and not another object of that name."""
    if old is None or new is None:
        return None
    return new if old["metadata"]["uid"] == new["metadata"]["uid"] else None


def _body(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    return {field: value for field, value in obj.items() if field not in ("metadata", "status")}
