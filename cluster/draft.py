"""A draft of the next state: the objects as they are, with what one request and the control loops change about them.

The loops read and write a draft only, so they are pure: the server commits it to the store in one transaction,
a dry run reads it and throws it away. Objects in a draft are shared with the store and never changed in place:
`put` a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal
from uuid import UUID, uuid5

from cluster.objects import Object, name, namespace

Key = tuple[str, str, str]
"""kind, namespace ("" where the kind has none), name."""

Objects = Mapping[str, Mapping[Key, Object]]
"""All objects by kind, in the order of their creation."""

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]

_UID_SPACE = UUID("6d696e69-6e65-5465-8073-000000000000")
_KEPT = ("uid", "creationTimestamp", "resourceVersion")


def key_of(obj: Mapping[str, Any]) -> Key:
    return str(obj["kind"]), namespace(obj), name(obj)


class Draft:
    """Reads through to `base` and records what is different.

    `created` counts the objects ever created; it makes the uid of an object deterministic for a fresh spec and
    another one after it was deleted and created again. `desired_changed` tells whether anything but a reported
    status changed.
    """

    def __init__(self, base: Objects, created: int = 0, now: str = "1970-01-01T00:00:00Z") -> None:
        self._base = base
        self._now = now
        self._written: dict[str, dict[Key, Object]] = {}
        self._touched: dict[Key, None] = {}
        self.created = created
        self.desired_changed = False

    def view(self, kind: str) -> Mapping[Key, Object]:
        return self._written[kind] if kind in self._written else self._base.get(kind, {})

    def objects(self, kind: str) -> list[Object]:
        """All objects of a kind, oldest first."""
        return list(self.view(kind).values())

    def get(self, key: Key) -> Object | None:
        return self.view(key[0]).get(key)

    def put(self, obj: Object) -> Object:
        """Create or replace; uid and creationTimestamp are set here, never taken from `obj`."""
        stored, changed = self._put(obj)
        self.desired_changed |= changed
        return stored

    def put_all(self, objects: Iterable[Object]) -> None:
        for obj in objects:
            self.put(obj)

    def merge_status(self, key: Key, uid: str, status: Mapping[str, Any]) -> Object | None:
        """Replace these top-level keys of the status. None when the object is gone, or is another one by now."""
        obj = self.get(key)
        if obj is None or obj["metadata"]["uid"] != uid:
            return None
        return self._put({**obj, "status": {**obj.get("status", {}), **status}})[0]

    def delete(self, key: Key) -> bool:
        """True when there was such an object."""
        if self.get(key) is None:
            return False
        del self._writable(key[0])[key]
        self._touched[key] = None
        self.desired_changed = True
        return True

    def changes(self) -> Iterator[tuple[ChangeType, Object]]:
        """What is different from `base`. An object that was created again is DELETED and then ADDED."""
        for key in self._touched:
            old, new = self._base.get(key[0], {}).get(key), self.get(key)
            if old is not None and new is not None and old["metadata"]["uid"] == new["metadata"]["uid"]:
                if old != new:
                    yield "MODIFIED", new
                continue
            if old is not None:
                yield "DELETED", old
            if new is not None:
                yield "ADDED", new

    def _put(self, obj: Object) -> tuple[Object, bool]:
        key = key_of(obj)
        old = self.get(key)
        metadata = {field: value for field, value in obj["metadata"].items() if field not in _KEPT}
        if old is None:
            self.created += 1
            metadata["uid"] = str(uuid5(_UID_SPACE, "/".join((*key, str(self.created)))))
            metadata["creationTimestamp"] = self._now
        else:
            metadata.update((field, old["metadata"][field]) for field in _KEPT if field in old["metadata"])
        new = {**obj, "metadata": metadata}
        if new == old:
            return old, False
        self._writable(key[0])[key] = new
        self._touched[key] = None
        return new, True

    def _writable(self, kind: str) -> dict[Key, Object]:
        if kind not in self._written:
            self._written[kind] = dict(self._base.get(kind, {}))
        return self._written[kind]
