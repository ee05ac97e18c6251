"""Queries that an upstream answers (topo/responder/forwarding.py), with a small upstream on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest
from dns.message import Message
from dns_site import WEB, Site, data, index, query, serving

from cluster.corefile import parse
from topo.responder import forwarding
from topo.responder.names import Names

Reply = Callable[[Message, str], "Message | None"]
"""What an upstream says to a query that came over "udp" or "tcp"; None: nothing."""


def address_of_everything(asked: Message, protocol: str) -> Message:
    reply = dns.message.make_response(asked)
    name = asked.question[0].name
    if str(name).startswith("nope."):
        reply.set_rcode(dns.rcode.NXDOMAIN)
    else:
        reply.answer = [dns.rrset.from_text(name, 60, "IN", "A", "192.0.2.7")]
    return reply


def large(asked: Message, protocol: str) -> Message:
    """Truncated over UDP."""
    reply = dns.message.make_response(asked)
    if protocol == "udp":
        reply.flags |= dns.flags.TC
    else:
        addresses = [f"192.0.2.{number}" for number in range(200)]
        reply.answer = [dns.rrset.from_text_list(asked.question[0].name, 60, "IN", "A", addresses)]
    return reply


def nothing(asked: Message, protocol: str) -> None:
    return None


class Upstream:
    """A DNS server in a thread, on one port over UDP and TCP. `asked`: the protocols of the queries that came."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.asked: list[str] = []
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._tcp.getsockname()[1])
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._threads = [threading.Thread(target=serve) for serve in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        for listener in (self._udp, self._tcp):
            with socket.socket(listener.family, listener.type) as waker:
                waker.connect(("127.0.0.1", self.port))
                waker.send(b"")
        for thread in self._threads:
            thread.join()
        self._udp.close()
        self._tcp.close()

    def _wire(self, query: bytes, protocol: str) -> bytes | None:
        self.asked.append(protocol)
        reply = self._reply(dns.message.from_wire(query), protocol)
        return None if reply is None else reply.to_wire(max_size=65535)

    def _serve_udp(self) -> None:
        while True:
            received, client = self._udp.recvfrom(65535)
            if not received:
                return
            if (wire := self._wire(received, "udp")) is not None:
                self._udp.sendto(wire, client)

    def _serve_tcp(self) -> None:
        while True:
            accepted, _ = self._tcp.accept()
            with accepted, accepted.makefile("rb") as stream:
                if not (length := stream.read(2)):
                    return
                if (wire := self._wire(stream.read(int.from_bytes(length, "big")), "tcp")) is not None:
                    accepted.sendall(len(wire).to_bytes(2, "big") + wire)


@contextmanager
def upstream(reply: Reply = address_of_everything) -> Iterator[Upstream]:
    server = Upstream(reply)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def site(*upstreams: int, options: str = "policy sequential") -> Iterator[Site]:
    """A server that forwards to these ports of loopback what is not its own."""
    names = Names()
    names.index = index()
    to = " ".join(f"127.0.0.1:{port}" for port in upstreams)
    kubernetes = "kubernetes cluster.local in-addr.arpa ip6.arpa"
    names.corefile = parse(f". {{\n{kubernetes}\nforward . {to} {{\n{options}\n}}\n}}")
    with serving(names) as served:
        yield served


def unused_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_other_names_are_asked_of_the_upstream_by_the_clients_protocol(protocol: str) -> None:
    with upstream() as other, site(other.port) as served:
        asked = query("Example.org.")
        answer = getattr(served, protocol)(asked)
        assert (answer.id, data(answer), answer.flags & dns.flags.AA) == (asked.id, ["192.0.2.7"], 0)
        assert str(answer.answer[0].name) == "Example.org."
        assert served.udp(query("nope.example.org.")).rcode() == dns.rcode.NXDOMAIN
        assert data(served.udp(query(WEB))) == ["10.96.1.1"]
        assert set(other.asked) == {protocol, "udp"}
        assert len(other.asked) == 2, "own names are nobody else's business"


def test_an_alias_comes_with_what_the_upstream_knows() -> None:
    with upstream() as other, site(other.port) as served:
        answer = served.udp(query("alias.default.svc.cluster.local."))
        assert data(answer) == ["example.org.", "192.0.2.7"]
        assert answer.flags & dns.flags.AA


def test_a_large_alias_is_fetched_over_tcp() -> None:
    with upstream(large) as other, site(other.port) as served:
        assert len(data(served.tcp(query("alias.default.svc.cluster.local.")))) == 201
        cut = served.udp(query("alias.default.svc.cluster.local."))
        assert cut.flags & dns.flags.TC
        assert 1 < len(data(cut)) < 201


def test_an_alias_alone_when_the_upstream_is_gone() -> None:
    with site(unused_port()) as served:
        answer = served.udp(query("alias.default.svc.cluster.local."))
        assert (answer.rcode(), data(answer)) == (dns.rcode.NOERROR, ["example.org."])


def test_the_next_upstream_is_asked_when_one_is_gone() -> None:
    with upstream() as other, site(unused_port(), other.port) as served:
        assert data(served.udp(query("example.org."))) == ["192.0.2.7"]
        assert data(served.tcp(query("example.org."))) == ["192.0.2.7"]


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_without_any_upstream_left_it_fails_at_once(protocol: str) -> None:
    with site(unused_port(), unused_port()) as served:
        assert getattr(served, protocol)(query("example.org.")).rcode() == dns.rcode.SERVFAIL


def test_one_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "UPSTREAM_S", 0.2)
    with upstream(nothing) as silent, upstream() as other, site(silent.port, other.port) as served:
        assert data(served.udp(query("example.org."))) == ["192.0.2.7"]
        assert (silent.asked, other.asked) == (["udp"], ["udp"])


def test_round_robin_takes_turns() -> None:
    with upstream() as one, upstream() as two, site(one.port, two.port, options="policy round_robin") as served:
        for _ in range(6):
            served.udp(query("example.org."))
        assert (len(one.asked), len(two.asked)) == (3, 3)


def test_what_is_truncated_is_passed_on_so() -> None:
    with upstream(large) as other, site(other.port) as served:
        assert served.udp(query("example.org.")).flags & dns.flags.TC
        assert len(data(served.tcp(query("example.org.")))) == 200
        assert other.asked == ["udp", "tcp"]


def test_force_tcp_and_prefer_udp() -> None:
    with upstream(large) as other:
        with site(other.port, options="force_tcp") as served:
            cut = served.udp(query("example.org."))
            assert (other.asked, bool(cut.flags & dns.flags.TC)) == (["tcp"], True)
            assert 0 < len(data(cut)) < 200
        with site(other.port, options="prefer_udp") as served:
            assert len(data(served.tcp(query("example.org.")))) == 200
            assert other.asked == ["tcp", "udp", "tcp"]


def test_a_reply_to_another_question_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "UPSTREAM_S", 0.2)

    def forged(asked: Message, protocol: str) -> Message:
        reply = address_of_everything(query("evil.example."), protocol)
        reply.id = asked.id
        return reply

    with upstream(forged) as other, site(other.port) as served:
        assert served.udp(query("example.org.")).rcode() == dns.rcode.SERVFAIL
        assert served.tcp(query("example.org.")).rcode() == dns.rcode.SERVFAIL


def test_no_more_at_a_time_than_allowed() -> None:
    released = threading.Event()

    def slow(asked: Message, protocol: str) -> Message:
        released.wait(5)
        return address_of_everything(asked, protocol)

    asked = query("example.org.")
    with (
        upstream(slow) as other,
        site(other.port, options="max_concurrent 1") as served,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first,
    ):
        first.connect(("127.0.0.1", served.port))
        first.send(asked.to_wire())
        while not other.asked:
            assert served.udp(query(WEB)).rcode() == dns.rcode.NOERROR, "own names are answered meanwhile"
        assert served.udp(query("example.com.")).rcode() == dns.rcode.REFUSED
        released.set()
        assert data(dns.message.from_wire(first.recv(4096))) == ["192.0.2.7"]


def test_a_server_that_is_removed_asks_nobody_any_more() -> None:
    with upstream(nothing) as silent, site(silent.port) as served:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(query("example.org.").to_wire(), ("127.0.0.1", served.port))
            while not silent.asked:
                served.udp(query(WEB))
        (running,) = served.registry._running.values()
        (task,) = running.pending

        async def remove() -> bool:
            served.registry.remove(served.container.id)
            await asyncio.wait([task])
            return task.cancelled()

        assert asyncio.run_coroutine_threadsafe(remove(), served.loop).result(5)
