"""DNS records by name: a question in, an answer out.

An `Index` never changes. `updated` makes the next one out of it; what it costs to compute goes with the objects that
changed, so a thread can make the new one while another still asks the old one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from cluster.dns import TTL_S, ZONE, Record, service_name, version_record
from cluster.draft import Key
from cluster.system import DNS_SERVICE, NAMESPACE

ZONES = (f"{ZONE}.", "in-addr.arpa.", "ip6.arpa.")
"""The zones that are answered with authority: those of kubeadm's Corefile."""

_SERVER_NAME = service_name(NAMESPACE, DNS_SERVICE)
_TARGETED = ("SRV", "NS")
_ADDRESS_TYPES = ("A", "AAAA")

Status = Literal["NOERROR", "NXDOMAIN", "REFUSED"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says. `authority` is the zone's SOA in a negative answer (RFC 2308); `additional` the addresses
    of the names that SRV and NS records lead to. Outside the zones: REFUSED."""

    status: Status
    records: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()

    @property
    def authoritative(self) -> bool:
        return self.status != "REFUSED"


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


def answer(index: Index, name: str, type: str) -> Answer:
    """Answer a question of class IN. `name` is absolute, in any case; `type` as written, "AAAA" or "TYPE65"."""
    name = name.lower()
    zone = zone_of(name)
    if zone is None:
        return Answer("REFUSED")
    chain: list[Record] = []
    while type != "CNAME" and (alias := index.find(name, "CNAME")) and alias[0] not in chain:
        chain += alias
        name = alias[0].target
        if zone_of(name) is None:
            # Nobody here knows more: the client has its CNAME.
            return Answer("NOERROR", tuple(chain))
    if records := index.find(name, type):
        return Answer("NOERROR", (*chain, *records), additional=_addresses(index, records))
    status: Status = "NOERROR" if index.exists(name) else "NXDOMAIN"
    return Answer(status, tuple(chain), (soa_record(zone_of(name) or zone),))


def zone_of(name: str) -> str | None:
    """The zone that a name in lower case is in; None outside of all."""
    return next((zone for zone in ZONES if name == zone or name.endswith(f".{zone}")), None)


def soa_record(zone: str) -> Record:
    """Timers as CoreDNS writes them; the last one is how long a negative answer holds (RFC 2308, section 4)."""
    return Record(zone, "SOA", f"{_SERVER_NAME} hostmaster.{zone} 1 7200 1800 86400 {TTL_S}")


_FIXED: Key = ("", "", "")


def _fixed_records() -> Iterator[Record]:
    """What is there without any object."""
    yield version_record()
    for zone in ZONES:
        yield soa_record(zone)
        yield Record(zone, "NS", _SERVER_NAME, _SERVER_NAME)


def _addresses(index: Index, records: tuple[Record, ...]) -> tuple[Record, ...]:
    targets = dict.fromkeys(record.target for record in records if record.type in _TARGETED)
    return tuple(record for target in targets for type in _ADDRESS_TYPES for record in index.find(target, type))


def _ancestors(name: str) -> Iterator[str]:
    """The names above `name`, up to its zone."""
    zone = zone_of(name)
    while name != zone and zone is not None:
        name = name.partition(".")[2]
        yield name
