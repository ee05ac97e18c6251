"""The quick way of making responses says what dnspython's says (topo/responder/dns_quick.py, dns_wire.py)."""

from __future__ import annotations

import itertools
import random

import dns.edns
import dns.flags
import dns.message
import pytest
from dns.message import Message
from dns_objects import addressed, endpoint, endpoint_slice, external, headless, service
from dns_objects import index as index_of

from cluster.corefile import parse
from cluster.dns_answers import answer
from cluster.system import COREFILE
from topo.responder import dns_quick, dns_wire
from topo.servers import Protocol

FEW = [endpoint(f"10.0.0.{number}", f"db-{number}") for number in range(1, 4)]
MANY = [endpoint(f"10.0.1.{number}") for number in range(1, 101)]
INDEX = index_of(
    service(ips=("10.96.1.1", "fd00:10:96::101")), headless(), endpoint_slice("db", *FEW), headless("many"),
    endpoint_slice("many", *MANY), external("out", "example.org"), external("own", "web.default.svc.cluster.local"),
    addressed("a", "10.244.1.2"),
)  # fmt: skip
NAMES = (
    "web.default.svc", "Web.DEFAULT.svc", "_http._tcp.web.default.svc", "db.default.svc", "_http._tcp.db.default.svc",
    "many.default.svc", "_http._tcp.many.default.svc", "out.default.svc", "own.default.svc", "nope.default.svc",
    "default.svc", "10-244-1-2.default.pod", "dns-version", "db-1.db.default.svc",
)  # fmt: skip
REVERSE = ("1.1.96.10.in-addr.arpa.", "2.0.0.10.in-addr.arpa.", "in-addr.arpa.", "cluster.local.", "example.org.")
TYPES = ("A", "AAAA", "SRV", "PTR", "CNAME", "TXT", "SOA", "NS")
ALL = (*(f"{name}.cluster.local." for name in NAMES), *REVERSE)


def query(name: str, type: str, payload: int | None) -> Message:
    return dns.message.make_query(name, type, use_edns=payload is not None, payload=payload)


def same(left: Message, right: Message) -> bool:
    """Sections in their order, down to the records' order and case; header and EDNS."""

    def text(message: Message) -> object:
        sections = [[rrset.to_text() for rrset in section] for section in message.sections]
        return message.id, message.flags, message.rcode(), sections, message.edns, message.payload, message.ednsflags

    return text(left) == text(right)


@pytest.mark.parametrize("payload", [None, 512, 1232, 4096])
@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_both_say_the_same(protocol: Protocol, payload: int | None) -> None:
    quick_ones = 0
    for name, type, turn in itertools.product(ALL, TYPES, (0, 1, 7)):
        asked = query(name, type, payload)
        wire = asked.to_wire()
        quick = dns_quick.read(wire)
        assert quick is not None
        assert (quick.name, quick.type) == (name, type)
        said = answer(INDEX, parse(COREFILE), name, type)
        slowly = dns_wire.response(asked, said, protocol, turn)
        made = dns_quick.response(quick, wire[:2], said, protocol, turn)
        if made is None:
            continue
        quick_ones += 1
        assert len(made) <= dns_wire.limit_bytes(asked, protocol)
        assert same(dns.message.from_wire(made), dns.message.from_wire(slowly)), (name, type, turn)
    assert quick_ones > 0.95 * len(ALL) * len(TYPES) * 3, "nearly every one is made the quick way"


def test_flags_and_options_that_are_rarely_used_are_left_to_dnspython() -> None:
    asked = query("web.default.svc.cluster.local.", "A", 1232)
    with_cookie = query("web.default.svc.cluster.local.", "A", 1232)
    with_cookie.use_edns(0, payload=1232, options=[dns.edns.GenericOption(10, b"12345678")])
    newer = query("web.default.svc.cluster.local.", "A", 1232)
    newer.use_edns(1)
    response = dns.message.make_response(asked)
    wires = [
        with_cookie.to_wire(), newer.to_wire(), response.to_wire(), asked.to_wire() + b"x", b"", b"\0" * 12,
        query(".", "A", None).to_wire(), query("a\\.b.example.", "A", None).to_wire(), query("a b.example.", "A", None).to_wire(),
        query("x.example.", "HTTPS", None).to_wire(), dns.message.make_query("x.example.", "A", "CH").to_wire(),
    ]  # fmt: skip
    assert [dns_quick.read(wire) for wire in wires] == [None] * len(wires)


def test_whatever_is_read_quickly_dnspython_reads_so_too() -> None:
    chance = random.Random(2)
    wires = [query(name, type, payload).to_wire() for name in ALL for type in TYPES for payload in (None, 1232)]
    read = 0
    for _ in range(20_000):
        packet = bytearray(chance.choice(wires))
        for _ in range(chance.randrange(3)):
            packet[chance.randrange(len(packet))] = chance.randrange(256)
        quick = dns_quick.read(bytes(packet))
        if quick is None:
            continue
        read += 1
        message = dns.message.from_wire(bytes(packet))
        (question,) = message.question
        assert (question.name.to_text(), dns.rdatatype.to_text(question.rdtype)) == (quick.name, quick.type)
        assert (message.flags & dns.flags.RD, message.edns) == (quick.flags, -1 if quick.payload is None else 0)
        assert dns_wire.refusal(message) is None
    assert read > 5000
