"""Nearly every query and its response, by hand: one question of an ordinary name, and EDNS without options.

What is here says the same as `dns_wire`, whose objects take ten times as long to make; whatever is not of this form is
left to it (`read` answers None), and so is what does not fit (`response`).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import get_args

import dns.flags
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from cluster.dns import Record
from cluster.dns_answers import Answer, Status
from topo.responder.dns_wire import LARGEST_UDP_BYTES, in_order, limit_of
from topo.servers import Protocol

_HEADER = struct.Struct("!HHHHHH")
_OPTION = struct.Struct("!xHHBBHH")
"""The root's name, type, payload, extended code, version, flags, length (RFC 6891, section 6.1.2)."""
_FIXED = struct.Struct("!HHIH")
"""Of a record after its name: type, class, TTL, length."""
_QR, _AA, _RD = int(dns.flags.QR), int(dns.flags.AA), int(dns.flags.RD)
"""Numbers, since dnspython's own are objects that take their time."""
_TC = int(dns.flags.TC)
_PLAIN_FLAGS = int(dns.flags.RD | dns.flags.AD | dns.flags.CD)
_IN, _OPT = int(dns.rdataclass.IN), int(dns.rdatatype.OPT)
_RCODES: Mapping[Status, int] = {status: int(dns.rcode.from_text(status)) for status in get_args(Status)}
_ORDINARY = re.compile(rb"[A-Za-z0-9_.-]+")
_TYPES = {int(dns.rdatatype.from_text(type)): type for type in ("A", "AAAA", "CNAME", "NS", "PTR", "SOA", "SRV", "TXT")}
_NUMBERS = {type: number for number, type in _TYPES.items()}
_TO_QUESTION = b"\xc0\x0c"
"""A pointer to the name that was asked for."""
_ADDRESS_BYTES = (16, 28)
"""Of an A and AAAA record of the name that was asked for."""
_OWN_OPTION = _OPTION.pack(_OPT, LARGEST_UDP_BYTES, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Query:
    """`question`: its bytes. `payload`: what the client takes over UDP by EDNS; None without."""

    name: str
    type: str
    question: bytes
    flags: int
    payload: int | None


def read(query: bytes) -> Query | None:
    """None: something that is rarely asked, or no query at all."""
    if len(query) < _HEADER.size:
        return None
    _, flags, questions, answers, authority, additional = _HEADER.unpack_from(query)
    if (flags & ~_PLAIN_FLAGS, questions, answers, authority) != (0, 1, 0, 0) or additional > 1:
        return None
    labels, at = [], _HEADER.size
    while at < len(query) and (length := query[at]):
        labels.append(query[at + 1 : at + 1 + length])
        at += 1 + length
    end = at + 5
    name = b".".join(labels)
    ordinary = _ORDINARY.fullmatch(name) and name.count(b".") == len(labels) - 1 and at - _HEADER.size < 255
    if not ordinary or len(query) < end or max(map(len, labels)) > 63:
        return None
    number, rdclass = struct.unpack_from("!HH", query, at + 1)
    if number not in _TYPES or rdclass != _IN:
        return None
    payload = None
    if additional:
        if len(query) != end + _OPTION.size or query[end]:
            return None
        type, payload, code, version, _, length = _OPTION.unpack_from(query, end)
        if (type, code, version, length) != (_OPT, 0, 0, 0):
            return None
    elif len(query) != end:
        return None
    return Query(name.decode() + ".", _TYPES[number], query[_HEADER.size : end], flags & _RD, payload)


def response(asked: Query, id: bytes, said: Answer, protocol: Protocol, turn: int = 0) -> bytes | None:
    """None where it is too large as it is, and names within the data could be compressed."""
    owner = asked.name.lower()
    option = b"" if asked.payload is None else _OWN_OPTION
    room = limit_of(asked.payload, protocol) - _HEADER.size - len(asked.question) - len(option)
    answers = _section(said.records, owner, said.ttl_s, turn if said.rotate else 0)
    authority = _section(said.authority, owner, said.ttl_s)
    additional = _section(said.additional, owner, said.ttl_s)
    flags = _QR | asked.flags | (_AA if said.authoritative else 0) | _RCODES[said.status]
    if sum(map(len, (*answers, *authority, *additional))) > room:
        if any(len(answer) not in _ADDRESS_BYTES for answer in answers) or authority or additional:
            return None
        answers = answers[: room // len(answers[0])]
        flags |= _TC
    counts = (len(answers), len(authority), len(additional) + bool(option))
    head = id + struct.pack("!HHHHH", flags, 1, *counts)
    return b"".join((head, asked.question, *answers, *authority, *additional, option))


def _section(records: Sequence[Record], asked: str, ttl_s: int, turn: int = 0) -> list[bytes]:
    return [
        _record(record, record.name == asked, ttl_s if record.ttl_s is None else record.ttl_s)
        for group in in_order(records, turn)
        for record in group
    ]


@lru_cache(maxsize=1 << 15)
def _record(record: Record, is_asked: bool, ttl_s: int) -> bytes:
    owner = _TO_QUESTION if is_asked else dns.name.from_text(record.name).to_wire()
    if record.type in ("A", "AAAA"):
        data: bytes | None = ip_address(record.data).packed
    else:
        data = dns.rdata.from_text("IN", record.type, record.data).to_wire()
    assert owner is not None
    assert data is not None
    return owner + _FIXED.pack(_NUMBERS[record.type], _IN, ttl_s, len(data)) + data
