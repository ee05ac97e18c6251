"""DNS messages: a query's bytes in, the response's bytes out (RFC 1035; EDNS: RFC 6891)."""

from __future__ import annotations

import logging
import struct
from bisect import bisect_left
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

from cluster.dns import Record
from cluster.dns_index import Index, answer
from topo.servers import Protocol

LARGEST_UDP_BYTES = 1232
"""No datagram larger than this: it would be fragmented on its way (dnsflagday.net, 2020)."""
_UDP_BYTES = 512
"""What a client takes that does not say otherwise (RFC 1035, section 2.3.4)."""
_TCP_BYTES = 65535
_HEADER_BYTES = 12
_SMALLEST_RECORD_BYTES = 12
"""Compressed name, type, class, TTL, length."""
_TRANSFERS = (dns.rdatatype.AXFR, dns.rdatatype.IXFR)
_log = logging.getLogger(__name__)


def response(index: Index | None, query: bytes, protocol: Protocol) -> bytes | None:
    """The answer to send, None for silence (to what is no query). Without an index: SERVFAIL."""
    try:
        asked = dns.message.from_wire(query)
    except dns.exception.DNSException:
        return _format_error(query)
    if asked.flags & dns.flags.QR:
        return None
    made = dns.message.make_response(asked, our_payload=LARGEST_UDP_BYTES)
    try:
        made.set_rcode(_fill(made, asked, index))
        return _encoded(made, _limit(asked, protocol))
    except dns.exception.DNSException as error:
        # An object that holds what is no domain name, such as an externalName with a label of 64 characters.
        _log.error("no answer to %s: %s", ", ".join(map(str, asked.question)), error)
        failed = dns.message.make_response(asked)
        failed.set_rcode(dns.rcode.SERVFAIL)
        return failed.to_wire()


def _format_error(query: bytes) -> bytes | None:
    """The header alone, with FORMERR; silence to what has no header or is a response (RFC 1035, section 4.1.1)."""
    if len(query) < _HEADER_BYTES:
        return None
    id, flags = struct.unpack_from("!HH", query)
    if flags & dns.flags.QR:
        return None
    kept = flags & (dns.flags.RD | 0x7800)  # the opcode
    return struct.pack("!HHHHHH", id, dns.flags.QR | kept | dns.rcode.FORMERR, 0, 0, 0, 0)


def _fill(made: dns.message.Message, asked: dns.message.Message, index: Index | None) -> dns.rcode.Rcode:
    """Put the answer to `asked` into `made`; its code."""
    if asked.edns > 0:
        return dns.rcode.BADVERS
    if asked.opcode() != dns.opcode.QUERY:
        return dns.rcode.NOTIMP
    if len(asked.question) != 1:
        return dns.rcode.FORMERR
    question = asked.question[0]
    if question.rdclass != dns.rdataclass.IN or question.rdtype in _TRANSFERS:
        return dns.rcode.REFUSED
    if index is None:
        return dns.rcode.SERVFAIL
    said = answer(index, question.name.to_text(), dns.rdatatype.to_text(question.rdtype))
    if said.authoritative:
        made.flags |= dns.flags.AA
    made.answer = _rrsets(said.records, question.name)
    made.authority = _rrsets(said.authority, question.name)
    made.additional = _rrsets(said.additional, question.name)
    return dns.rcode.from_text(said.status)


def _rrsets(records: Iterable[Record], question: dns.name.Name) -> list[dns.rrset.RRset]:
    """Records by name and type, in their order. The name that was asked for keeps its case: resolvers compare."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.name, record.type), []).append(record)
    asked = question.to_text().lower()
    return [
        dns.rrset.from_rdata_list(
            question if name == asked else dns.name.from_text(name),
            group[0].ttl_s,
            [_rdata(record.type, record.data) for record in group],
        )
        for (name, _), group in groups.items()
    ]


@lru_cache(maxsize=1 << 16)
def _rdata(type: str, data: str) -> dns.rdata.Rdata:
    return dns.rdata.from_text("IN", type, data)


def _limit(asked: dns.message.Message, protocol: Protocol) -> int:
    if protocol != "udp":
        return _TCP_BYTES
    return max(_UDP_BYTES, min(asked.payload, LARGEST_UDP_BYTES)) if asked.edns >= 0 else _UDP_BYTES


def _encoded(made: dns.message.Message, limit_bytes: int) -> bytes:
    wire = _wire(made, limit_bytes)
    if wire is None:
        # Leaving out additional records is no truncation (RFC 2181, section 9).
        made.additional = []
        wire = _wire(made, limit_bytes)
    return wire if wire is not None else _truncated(made, limit_bytes)


def _truncated(made: dns.message.Message, limit_bytes: int) -> bytes:
    """As many records as there is room for, and the flag TC: some resolvers never come back over TCP."""
    made.flags |= dns.flags.TC
    *whole, last = made.answer
    rdatas = list(last)

    def cut(count: int) -> bytes | None:
        rest = [dns.rrset.from_rdata_list(last.name, last.ttl, rdatas[:count])] if count else []
        made.answer = [*whole, *rest]
        return _wire(made, limit_bytes)

    most = min(len(rdatas), limit_bytes // _SMALLEST_RECORD_BYTES)
    fitting = bisect_left(range(1, most + 1), True, key=lambda count: cut(count) is None)
    wire = cut(fitting)
    if wire is None:
        raise dns.exception.TooBig
    return wire


def _wire(made: dns.message.Message, limit_bytes: int) -> bytes | None:
    """None when it is larger."""
    try:
        return made.to_wire(max_size=limit_bytes)
    except dns.exception.TooBig:
        return None
