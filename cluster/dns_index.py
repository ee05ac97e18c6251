"""DNS records by name.

An `Index` never changes. `updated` makes the next one out of it; what it costs to compute goes with the objects that
changed, so a thread can make the new one while another still asks the old one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cluster.dns import ZONES, Record, service_name, version_record
from cluster.draft import Key
from cluster.system import DNS_SERVICE, NAMESPACE

SERVER_NAME = service_name(NAMESPACE, DNS_SERVICE)


class Index:
    """The records of all objects, by object and by name."""

    __slots__ = ("_below", "_names", "_owned")

    def __init__(self) -> None:
        self._owned: dict[Key, tuple[Record, ...]] = {}
        self._names: dict[str, tuple[tuple[Key, Record], ...]] = {}
        self._below: dict[str, int] = {}
        """How many names are below a name: one without records of its own exists too (RFC 8020)."""
        for record in _fixed_records():
            self._set(record.name, (*self._names.get(record.name, ()), (_FIXED, record)))

    def updated(self, changes: Mapping[Key, tuple[Record, ...]]) -> Index:
        """The index in which these objects have these records (none: the object is gone)."""
        changed = {key: records for key, records in changes.items() if self._owned.get(key, ()) != records}
        if not changed:
            return self
        index = Index.__new__(Index)
        index._owned, index._names, index._below = dict(self._owned), dict(self._names), dict(self._below)
        for key, records in changed.items():
            index._replace(key, records)
        return index

    def find(self, name: str, type: str) -> tuple[Record, ...]:
        """The records of a name and type, without doubles."""
        found = (record for _, record in self._names.get(name, ()) if record.type == type)
        return tuple(dict.fromkeys(found))

    def exists(self, name: str) -> bool:
        return name in self._names or name in self._below

    def _replace(self, key: Key, records: tuple[Record, ...]) -> None:
        by_name: dict[str, list[Record]] = {record.name: [] for record in self._owned.pop(key, ())}
        for record in records:
            by_name.setdefault(record.name, []).append(record)
        for name, own in by_name.items():
            others = (entry for entry in self._names.get(name, ()) if entry[0] != key)
            self._set(name, (*others, *((key, record) for record in own)))
        if records:
            self._owned[key] = records

    def _set(self, name: str, entries: tuple[tuple[Key, Record], ...]) -> None:
        if bool(entries) != (name in self._names):
            for ancestor in _ancestors(name):
                count = self._below.get(ancestor, 0) + (1 if entries else -1)
                if count:
                    self._below[ancestor] = count
                else:
                    del self._below[ancestor]
        if entries:
            self._names[name] = entries
        else:
            self._names.pop(name, None)


_FIXED: Key = ("", "", "")


def _fixed_records() -> Iterator[Record]:
    """What is there without any object."""
    yield version_record()
    for zone in ZONES:
        yield Record(zone, "NS", SERVER_NAME, SERVER_NAME)


def _ancestors(name: str) -> Iterator[str]:
    """The names above `name`, up to its zone."""
    while name and name not in ZONES:
        name = name.partition(".")[2]
        yield name
