"""DNS messages: a query's bytes in, a response's bytes out (RFC 1035; EDNS: RFC 6891)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.message import Message

from cluster.dns import Record
from cluster.dns_answers import Answer
from topo.servers import Protocol

LARGEST_UDP_BYTES = 1232
"""No datagram larger than this: it would be fragmented on its way (dnsflagday.net, 2020)."""
_UDP_BYTES = 512
"""What a client takes that does not say otherwise (RFC 1035, section 2.3.4)."""
_TCP_BYTES = 65535
_HEADER_BYTES = 12
_SMALLEST_RECORD_BYTES = 12
"""Compressed name, type, class, TTL, length."""
_OPTION_RECORD_BYTES = 11
"""An OPT record without options."""
_POINTER = 0xC0
"""A length from here on is a compressed name's pointer (RFC 1035, section 4.1.4)."""
_TRANSFERS = (dns.rdatatype.AXFR, dns.rdatatype.IXFR)
_ROTATED = ("A", "AAAA")
"""What CoreDNS' loadbalance puts into another order."""


def read(query: bytes) -> Message | bytes | None:
    """The query; or the answer to what is none: FORMERR, or silence."""
    try:
        asked = dns.message.from_wire(query)
    except dns.exception.DNSException:
        return _format_error(query)
    return None if asked.flags & dns.flags.QR else asked


def _format_error(query: bytes) -> bytes | None:
    """The header alone, with FORMERR; silence to what has no header or is a response (RFC 1035, section 4.1.1)."""
    if len(query) < _HEADER_BYTES:
        return None
    id, flags = struct.unpack_from("!HH", query)
    if flags & dns.flags.QR:
        return None
    kept = flags & (dns.flags.RD | 0x7800)  # the opcode
    return struct.pack("!HHHHHH", id, dns.flags.QR | kept | dns.rcode.FORMERR, 0, 0, 0, 0)


def refusal(asked: Message) -> dns.rcode.Rcode | None:
    """Why a query is not looked at any further; None for a question of class IN."""
    if asked.edns > 0:
        return dns.rcode.BADVERS
    if asked.opcode() != dns.opcode.QUERY:
        return dns.rcode.NOTIMP
    if len(asked.question) != 1:
        return dns.rcode.FORMERR
    question = asked.question[0]
    if question.rdclass != dns.rdataclass.IN or question.rdtype in _TRANSFERS:
        return dns.rcode.REFUSED
    return None


def empty(asked: Message, rcode: dns.rcode.Rcode) -> bytes:
    """A response with nothing but a code."""
    made = dns.message.make_response(asked, our_payload=LARGEST_UDP_BYTES)
    made.set_rcode(rcode)
    return made.to_wire()


def response(
    asked: Message, said: Answer, protocol: Protocol, turn: int = 0, more: Iterable[dns.rrset.RRset] = ()
) -> bytes:
    """The response that says it, in the order of this turn, and after it what an upstream said (`more`).

    Raises DNSException where an object holds what is no domain name, as a label of 64 characters.
    """
    made = dns.message.make_response(asked, our_payload=LARGEST_UDP_BYTES)
    question = asked.question[0].name
    made.set_rcode(dns.rcode.from_text(said.status))
    if said.authoritative:
        made.flags |= dns.flags.AA
    limit = limit_bytes(asked, protocol)
    # One more than there can be room for is enough to see that there are too many.
    most = limit // _SMALLEST_RECORD_BYTES + 1
    made.answer = [*_rrsets(said.records, question, said.ttl_s, most, turn if said.rotate else 0), *more]
    made.authority = _rrsets(said.authority, question, said.ttl_s, most)
    made.additional = _rrsets(said.additional, question, said.ttl_s, most)
    return _encoded(made, limit)


def turns(said: Answer) -> int:
    """How many orders its records come in."""
    if not said.rotate or len(said.records) < 2:
        return 1
    return max(1, *(sum(record.type == type for record in said.records) for type in _ROTATED))


def cut(asked: Message, reply: Message) -> bytes:
    """An upstream's reply as the client takes it over UDP, if need be truncated."""
    return _encoded(reply, limit_bytes(asked, "udp"))


def _rrsets(
    records: Iterable[Record], question: dns.name.Name, ttl_s: int, most: int, turn: int = 0
) -> list[dns.rrset.RRset]:
    """Records by name and type, in the order of this turn, `most` of each.

    The name that was asked for keeps its case: resolvers compare.
    """
    asked = question.to_text().lower()
    made = []
    for group in in_order(records, turn):
        name, ttl = group[0].name, group[0].ttl_s
        rdatas = [_rdata(record.type, record.data) for record in group[:most]]
        owner = question if name == asked else dns.name.from_text(name)
        made.append(dns.rrset.from_rdata_list(owner, ttl_s if ttl is None else ttl, rdatas))
    return made


def in_order(records: Iterable[Record], turn: int) -> list[list[Record]]:
    """Records by name and type; addresses in the order of this turn."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.name, record.type), []).append(record)
    return [
        group if type not in _ROTATED or not (first := turn % len(group)) else [*group[first:], *group[:first]]
        for (_, type), group in groups.items()
    ]


@lru_cache(maxsize=1 << 16)
def _rdata(type: str, data: str) -> dns.rdata.Rdata:
    return dns.rdata.from_text("IN", type, data)


def limit_bytes(asked: Message, protocol: Protocol) -> int:
    """How large a response the client takes."""
    return limit_of(asked.payload if asked.edns >= 0 else None, protocol)


def limit_of(payload: int | None, protocol: Protocol) -> int:
    """The same by what EDNS says of its payload; None without EDNS."""
    if protocol != "udp":
        return _TCP_BYTES
    return _UDP_BYTES if payload is None else max(_UDP_BYTES, min(payload, LARGEST_UDP_BYTES))


def _encoded(made: Message, limit_bytes: int) -> bytes:
    wire = _wire(made, limit_bytes)
    if wire is None:
        # Leaving out additional records is no truncation (RFC 2181, section 9).
        made.additional = []
        wire = _wire(made, limit_bytes)
    return wire if wire is not None else _truncated(made, limit_bytes)


def _truncated(made: Message, limit_bytes: int) -> bytes:
    """As many answers as there is room for, and the flag TC: some resolvers never come back over TCP."""
    made.flags |= dns.flags.TC
    made.authority = []
    if made.answer:
        ends = _ends_of_answers(made.to_wire(max_size=_TCP_BYTES, want_shuffle=False))
        option_bytes = _OPTION_RECORD_BYTES if made.edns >= 0 else 0
        *whole, last = made.answer
        fitting = sum(end + option_bytes <= limit_bytes for end in ends) - sum(map(len, whole))
        cut = [dns.rrset.from_rdata_list(last.name, last.ttl, list(last)[:fitting])] if fitting > 0 else []
        made.answer = [*whole, *cut] if fitting >= 0 else []
    return made.to_wire(max_size=limit_bytes, want_shuffle=False)


def _ends_of_answers(wire: bytes) -> list[int]:
    """Where each record of the answer section ends in a message with one question."""
    ends = []
    at = _end_of_name(wire, _HEADER_BYTES) + 4
    for _ in range(int.from_bytes(wire[6:8], "big")):
        at = _end_of_name(wire, at) + 10
        at += int.from_bytes(wire[at - 2 : at], "big")
        ends.append(at)
    return ends


def _end_of_name(wire: bytes, at: int) -> int:
    while wire[at]:
        if wire[at] >= _POINTER:
            return at + 2
        at += 1 + wire[at]
    return at + 1


def _wire(made: Message, limit_bytes: int) -> bytes | None:
    """None when it is larger. The records keep their order, which is this turn's."""
    try:
        return made.to_wire(max_size=limit_bytes, want_shuffle=False)
    except dns.exception.TooBig:
        return None
