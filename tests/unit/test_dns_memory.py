"""In which order answers come, and what DNS servers remember of them (topo/responder/dns_server.py)."""

from __future__ import annotations

import dns.edns
import dns.rcode
import pytest
import samples
from dns_site import DB, WEB, data, index, many_endpoints, query, server_of, told

from cluster.client import Batch, Event
from cluster.corefile import parse
from cluster.dns import Record
from cluster.dns_index import Index
from cluster.dns_state import DnsState
from cluster.system import COREFILE
from topo.responder import dns_server, dns_wire
from topo.responder.dns_wire import LARGEST_UDP_BYTES


def small(count: int = 3) -> Index:
    """A headless Service with so many endpoints."""
    few = many_endpoints()
    few["endpoints"] = few["endpoints"][:count]
    return DnsState().take(Batch(1, (Event("ADDED", samples.service("db", clusterIP="None")), Event("ADDED", few))))


def test_each_endpoint_is_the_first_in_turn() -> None:
    server = server_of(small())
    answers = [data(told(server, query(DB))) for _ in range(6)]
    assert [answer[0] for answer in answers] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"] * 2
    assert {frozenset(answer) for answer in answers} == {frozenset({"10.0.0.1", "10.0.0.2", "10.0.0.3"})}


def test_of_many_endpoints_those_that_are_cut_off_have_their_turn() -> None:
    server, seen = server_of(small(60)), set[str]()
    for _ in range(60):
        seen.update(data(told(server, query(DB, payload=None))))
    assert len(seen) == 60


def test_without_loadbalance_the_order_stays() -> None:
    server = server_of(small())
    server.names.corefile = parse(COREFILE.replace("loadbalance", ""))
    assert len({tuple(data(told(server, query(DB)))) for _ in range(4)}) == 1


def test_what_is_remembered_has_the_id_and_case_of_its_query() -> None:
    server = server_of(index())
    for name in (WEB, WEB.upper(), WEB, WEB.upper()):
        asked = query(name)
        answer = told(server, asked)
        assert (answer.id, str(answer.answer[0].name)) == (asked.id, name)
    assert len(server._memory) == 2


def test_what_is_remembered_follows_the_names_and_the_corefile() -> None:
    server = server_of(small())
    asked = query(f"_sql._tcp.{DB}", "SRV")
    assert (len(told(server, asked).answer[0]), len(told(server, asked).answer[0])) == (3, 3)
    server.names.index = small(2)
    assert (len(told(server, asked).answer[0]), len(told(server, asked).additional)) == (2, 2)
    server.names.corefile = parse(COREFILE.replace("pods verified", "ttl 77"))
    assert told(server, asked).answer[0].ttl == 77
    server.names.index = Index()
    assert told(server, asked).rcode() == dns.rcode.NXDOMAIN


def test_a_change_elsewhere_costs_no_new_message(monkeypatch: pytest.MonkeyPatch) -> None:
    server = server_of(small())
    before = told(server, query(f"_sql._tcp.{DB}", "SRV", payload=None))
    server.names.index = small(3).updated({("Service", "x", "y"): (Record("y.x.svc.cluster.local.", "A", "10.0.0.1"),)})
    monkeypatch.setattr(dns_wire, "response", None)
    assert told(server, query(f"_sql._tcp.{DB}", "SRV", payload=None)).answer == before.answer


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_server, "_REMEMBERED_BYTES", 20_000)
    server = server_of(index())
    for number in range(100):
        assert told(server, query(f"n{number}.cluster.local.")).rcode() == dns.rcode.NXDOMAIN
    assert 10 < len(server._memory) < 20
    for _ in range(200):
        told(server, query(DB))
    for key in list(server._memory):
        server._forget(key)
    assert server._bytes == 0, "what is forgotten is what was counted"


def test_a_query_with_a_cookie_is_answered_and_not_remembered() -> None:
    server, asked = server_of(index()), query(WEB)
    asked.use_edns(0, payload=LARGEST_UDP_BYTES, options=[dns.edns.GenericOption(10, b"12345678")])
    assert data(told(server, asked)) == ["10.96.1.1"]
    assert server._memory == {}
