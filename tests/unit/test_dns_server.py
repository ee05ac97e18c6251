"""The responder's DNS server over loopback sockets, asked with dnspython's client (topo/responder/dns_wire, names)."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import pytest
import samples
import servers
from dns_site import DB, ENDPOINTS, LIMIT_S, WEB, Site, data, index, many_endpoints, query, response, server_of, serving

from cluster.client import Batch, Event
from cluster.dns_state import DnsState
from topo.responder.dns_wire import LARGEST_UDP_BYTES
from topo.responder.names import Names
from topo.responder.registry import Registry
from topo.servers import ServedContainer
from topo.waiting import wait_until


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    names = Names()
    names.index = index()
    with serving(names) as served:
        yield served


# --- questions and answers


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_udp(site: Site, host: str) -> None:
    asked = query(WEB)
    answer = site.udp(asked, host)
    assert (answer.id, answer.rcode(), data(answer)) == (asked.id, dns.rcode.NOERROR, ["10.96.1.1"])
    assert answer.answer[0].ttl == 5
    assert answer.flags == dns.flags.QR | dns.flags.AA | dns.flags.RD


def test_tcp(site: Site) -> None:
    assert data(site.tcp(query(WEB))) == ["10.96.1.1"]


def test_several_queries_on_one_connection_in_pieces(site: Site) -> None:
    wires = [query(name).to_wire(prepend_length=True) for name in (WEB, "nope.cluster.local.")]
    with socket.create_connection(("127.0.0.1", site.port), LIMIT_S) as client:
        for byte in wires[0]:
            client.sendall(bytes([byte]))
        first, _ = dns.query.receive_tcp(client)
        client.sendall(b"".join(wires))
        second, third = (dns.query.receive_tcp(client)[0] for _ in range(2))
    assert [answer.rcode().name for answer in (first, second, third)] == ["NOERROR", "NOERROR", "NXDOMAIN"]


def test_the_case_of_a_question_is_kept(site: Site) -> None:
    name = "wEb.DEFAULT.svc.Cluster.Local."
    answer = site.udp(query(name))
    assert (str(answer.question[0].name), str(answer.answer[0].name)) == (name, name)


@pytest.mark.parametrize(("name", "type", "rcode"), [(WEB, "AAAA", "NOERROR"), ("x.cluster.local.", "A", "NXDOMAIN")])
def test_a_negative_answer_holds_the_zones_soa(site: Site, name: str, type: str, rcode: str) -> None:
    answer = site.udp(query(name, type))
    assert (answer.rcode().name, answer.answer) == (rcode, [])
    (soa,) = answer.authority
    assert (str(soa.name), soa.ttl, soa[0].minimum) == ("cluster.local.", 5, 5)


def test_srv_brings_the_address_along(site: Site) -> None:
    answer = site.udp(query(f"_http._tcp.{WEB}", "SRV"))
    assert data(answer) == [f"0 100 80 {WEB}"]
    assert [str(rrset) for rrset in answer.additional] == [f"{WEB} 5 IN A 10.96.1.1"]


def test_an_alias(site: Site) -> None:
    assert data(site.udp(query("alias.default.svc.cluster.local."))) == ["example.org."]


def test_names_of_others_are_refused_without_authority(site: Site) -> None:
    answer = site.udp(query("example.org."))
    assert (answer.rcode(), answer.flags & dns.flags.AA) == (dns.rcode.REFUSED, 0)


@pytest.mark.parametrize("type", ["ANY", "HTTPS", "TYPE65400"])
def test_a_type_that_nobody_has_is_nodata(site: Site, type: str) -> None:
    answer = site.udp(query(WEB, type))
    assert (answer.rcode(), answer.answer, len(answer.authority)) == (dns.rcode.NOERROR, [], 1)


# --- sizes


@pytest.mark.parametrize(("payload", "limit_bytes"), [(None, 512), (100, 512), (700, 700), (4096, LARGEST_UDP_BYTES)])
def test_what_is_too_large_for_udp_is_cut(site: Site, payload: int | None, limit_bytes: int) -> None:
    wire = response(index(), query(DB, payload=payload).to_wire(), "udp")
    assert wire is not None
    assert limit_bytes - 16 < len(wire) <= limit_bytes, "one more address is 16 bytes"
    answer = dns.message.from_wire(wire)
    assert answer.flags & dns.flags.TC
    assert (answer.edns >= 0) == (payload is not None)
    assert len(site.udp(query(DB, payload=payload)).answer[0]) == len(answer.answer[0])


def test_a_cut_answer_is_whole_over_tcp(site: Site) -> None:
    assert site.udp(query(DB)).flags & dns.flags.TC
    answer = site.tcp(query(DB))
    assert (len(data(answer)), answer.flags & dns.flags.TC) == (ENDPOINTS, 0)


def test_leaving_out_additional_records_is_no_truncation() -> None:
    few = many_endpoints()
    few["endpoints"] = few["endpoints"][:12]
    found = DnsState().take(Batch(1, (Event("ADDED", samples.service("db", clusterIP="None")), Event("ADDED", few))))
    wire = response(found, query(f"_sql._tcp.{DB}", "SRV", payload=900).to_wire(), "udp")
    answer = dns.message.from_wire(wire or b"")
    assert (len(answer.answer[0]), answer.additional, answer.flags & dns.flags.TC) == (12, [], 0)


# --- what is no question


def test_a_newer_edns_is_told_so(site: Site) -> None:
    asked = query(WEB)
    asked.use_edns(edns=1)
    assert site.udp(asked).rcode() == dns.rcode.BADVERS


@pytest.mark.parametrize(
    ("opcode", "count", "rdclass", "type", "rcode"),
    [
        (dns.opcode.STATUS, 1, "IN", "A", "NOTIMP"),
        (dns.opcode.NOTIFY, 1, "IN", "SOA", "NOTIMP"),
        (dns.opcode.UPDATE, 1, "IN", "SOA", "NOTIMP"),
        (dns.opcode.QUERY, 0, "IN", "A", "FORMERR"),
        (dns.opcode.QUERY, 2, "IN", "A", "FORMERR"),
        (dns.opcode.QUERY, 1, "CH", "TXT", "REFUSED"),
        (dns.opcode.QUERY, 1, "IN", "AXFR", "REFUSED"),
    ],
)
def test_other_requests(opcode: dns.opcode.Opcode, count: int, rdclass: str, type: str, rcode: str) -> None:
    question = dns.message.make_query(WEB, type, rdclass).to_wire()[12:]
    header = struct.pack("!HHHHHH", 7, opcode << 11, count, 0, 0, 0)
    wire = response(index(), header + question * count, "udp")
    assert wire is not None
    assert (struct.unpack_from("!H", wire)[0], dns.rcode.Rcode(wire[3] & 15).name) == (7, rcode)


def test_an_object_that_is_no_domain_name_fails_its_own_question_only(site: Site) -> None:
    assert site.udp(query("long.default.svc.cluster.local.")).rcode() == dns.rcode.SERVFAIL
    assert data(site.udp(query(WEB))) == ["10.96.1.1"]


def test_a_response_is_not_answered() -> None:
    asked = query(WEB)
    asked.flags |= dns.flags.QR
    assert response(index(), asked.to_wire(), "udp") is None
    assert response(index(), asked.to_wire()[:-3], "udp") is None


@pytest.mark.parametrize("garbage", [b"", b"\0" * 11])
def test_without_a_header_there_is_no_answer(garbage: bytes) -> None:
    assert response(index(), garbage, "udp") is None


def test_malformed_packets_are_answered_with_formerr_or_not_at_all() -> None:
    generator = random.Random(1)
    server, wires = server_of(index()), [query(WEB).to_wire(), query(f"_http._tcp.{WEB}", "SRV", payload=None).to_wire()]
    for _ in range(10_000):
        packet = bytearray(generator.choice(wires))
        for _ in range(generator.randrange(1, 5)):
            packet[generator.randrange(len(packet))] = generator.randrange(256)
        answer = server.respond(bytes(packet[: generator.randrange(len(packet) + 1)]), "udp")
        if answer is None:
            continue
        assert isinstance(answer, bytes)
        assert dns.message.from_wire(answer).id == int.from_bytes(packet[:2], "big")


def test_it_answers_on_after_garbage(site: Site) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for packet in (b"", b"x", b"\xff" * 600, query(WEB).to_wire()[:20]):
            client.sendto(packet, ("127.0.0.1", site.port))
    with socket.create_connection(("127.0.0.1", site.port), LIMIT_S) as client:
        client.sendall(b"\0\0\0\x01x\xff\xff" + b"y" * 100)
    assert data(site.udp(query(WEB))) == ["10.96.1.1"]


# --- what it knows


def test_before_it_knows_anything_it_fails() -> None:
    with serving(Names()) as ignorant:
        assert ignorant.udp(query(WEB)).rcode() == dns.rcode.SERVFAIL


def test_it_follows_the_api(tmp_path: Path) -> None:
    with servers.serving(tmp_path) as api:
        names = Names(api.socket)
        with serving(names) as site:
            wait_until(lambda: site.udp(query(WEB)).rcode() == dns.rcode.NXDOMAIN, LIMIT_S, "the first batch")
            api.client().apply([samples.service("web")])
            wait_until(lambda: data(site.udp(query(WEB))) == ["10.96.1.1"], LIMIT_S, "the Service's record")
            own = "kube-dns.kube-system.svc.cluster.local."
            assert data(site.udp(query("10.0.96.10.in-addr.arpa.", "PTR"))) == [own]
            api.restart()
            api.client().delete("Service", "default", "web")
            wait_until(lambda: data(site.udp(query(WEB))) == [], LIMIT_S, "the record to be gone")
        names.stop()


def test_nobody_watches_before_the_first_dns_server(tmp_path: Path) -> None:
    names = Names(tmp_path / "api.sock")
    registry = Registry(lambda id, code: None, names)

    async def serve() -> None:
        registry.serve(ServedContainer("u1/c", None, "web-1", ()))
        registry.clear()

    asyncio.run(serve())
    assert names._thread is None
