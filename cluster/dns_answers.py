"""A question in, an answer out: what an index of names and a Corefile together say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cluster.corefile import Block, Corefile, Forward, Kubernetes, zone_of
from cluster.dns import ZONE, Record, dashed
from cluster.dns_index import SERVER_NAME, Index
from cluster.reading.syntax import is_ip

_TARGETED = ("SRV", "NS")
_ADDRESS_TYPES = ("A", "AAAA")
_POD_ZONE = f".pod.{ZONE}."

Status = Literal["NOERROR", "NXDOMAIN", "REFUSED"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says.

    `authority` is the zone's SOA in a negative answer (RFC 2308); `additional` the addresses of the names that SRV
    and NS records lead to. Names that nobody knows: REFUSED. With `forward`, what its upstreams say about `asked` is
    the rest of the answer; there is nothing else but an alias that leads there.
    """

    status: Status
    records: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    ttl_s: int = 0
    """Of the records that have none of their own."""
    rotate: bool = False
    """Several records of one name come in another order each time."""
    forward: Forward | None = None
    asked: str = ""

    @property
    def authoritative(self) -> bool:
        return self.status != "REFUSED" and (self.forward is None or bool(self.records))


_REFUSED = Answer("REFUSED")


def answer(index: Index, corefile: Corefile, name: str, type: str) -> Answer:
    """Answer a question of class IN. `name` is absolute, in any case; `type` as written, "AAAA" or "TYPE65"."""
    name = name.lower()
    block = corefile.block_of(name)
    if block is None:
        return _REFUSED
    kubernetes = block.kubernetes
    if kubernetes is None or zone_of(name, kubernetes.zones) is None:
        return _forwarded(block, name) or _REFUSED
    said = _known(index, corefile, block, kubernetes, name, type)
    if said.status == "NXDOMAIN" and not said.records and zone_of(name, kubernetes.fallthrough) is not None:
        return _forwarded(block, name) or said
    return said


def _forwarded(block: Block, name: str) -> Answer | None:
    """To the upstreams of the longest zone; None where there are none."""
    fitting = (
        forward for forward in block.forwards
        if forward.upstreams and zone_of(name, (forward.base,)) and zone_of(name, forward.excepted) is None
    )  # fmt: skip
    forward = max(fitting, key=lambda each: len(each.base), default=None)
    return None if forward is None else Answer("NOERROR", forward=forward, asked=name)


def _known(
    index: Index, corefile: Corefile, block: Block, kubernetes: Kubernetes, name: str, type: str
) -> Answer:
    """What the cluster knows of a name in its zones."""
    ttl_s, rotate = kubernetes.ttl_s, block.rotate
    chain: list[Record] = []
    while type != "CNAME" and (alias := index.find(name, "CNAME")) and alias[0] not in chain:
        chain += alias
        name = alias[0].target
        if zone_of(name, kubernetes.zones) is None:
            # An alias that leads elsewhere: the client has its CNAME, and more if an upstream knows it.
            other = corefile.block_of(name)
            more = None if other is None else _forwarded(other, name)
            forward = None if more is None else more.forward
            return Answer("NOERROR", tuple(chain), ttl_s=ttl_s, forward=forward, asked=name)
    zone = zone_of(name, kubernetes.zones) or ""
    records = _found(index, kubernetes, zone, name, type)
    if records:
        return Answer("NOERROR", (*chain, *records), (), _addresses(index, records), ttl_s, rotate)
    exists = index.exists(name) or bool(_pod_by_name(kubernetes, name))
    if name.endswith(_POD_ZONE) and kubernetes.pods == "disabled":
        exists = False
    return Answer("NOERROR" if exists else "NXDOMAIN", tuple(chain), (soa_record(zone, ttl_s),), (), ttl_s)


def _found(index: Index, kubernetes: Kubernetes, zone: str, name: str, type: str) -> Sequence[Record]:
    if name == zone and type == "SOA":
        return (soa_record(zone, kubernetes.ttl_s),)
    if name.endswith(_POD_ZONE) and kubernetes.pods != "verified":
        return [record for record in _pod_by_name(kubernetes, name) if record.type == type]
    return index.find(name, type)


def _pod_by_name(kubernetes: Kubernetes, name: str) -> Sequence[Record]:
    """`pods insecure`: any address, written as a label, below any namespace is its own name."""
    label, _, rest = name.partition(".")
    if kubernetes.pods != "insecure" or not rest.endswith(_POD_ZONE[1:]) or rest.count(".") != _POD_ZONE.count("."):
        return ()
    ip = next((text for text in (label.replace("-", "."), label.replace("-", ":")) if is_ip(text)), "")
    return [Record(name, "AAAA" if ":" in ip else "A", ip)] if ip and dashed(ip) == label else ()


def soa_record(zone: str, ttl_s: int) -> Record:
    """Timers as CoreDNS writes them; the last one is how long a negative answer holds (RFC 2308, section 4)."""
    return Record(zone, "SOA", f"{SERVER_NAME} hostmaster.{zone} 1 7200 1800 86400 {ttl_s}", ttl_s=ttl_s)


def _addresses(index: Index, records: Sequence[Record]) -> tuple[Record, ...]:
    targets = dict.fromkeys(record.target for record in records if record.type in _TARGETED)
    return tuple(record for target in targets for type in _ADDRESS_TYPES for record in index.find(target, type))
