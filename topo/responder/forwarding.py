"""Queries that another DNS server answers: asked from the pod's own network, so that its policies hold for them too."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Sequence

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from dns.message import Message

from cluster.corefile import Forward
from topo import netns
from topo.responder import dns_wire
from topo.servers import Protocol

UPSTREAM_S = 2.0
"""How long one upstream may take before the next is asked: CoreDNS' read timeout."""
_LARGEST_BYTES = 65535
_log = logging.getLogger(__name__)

Upstream = tuple[str, int]


class Forwarder:
    """Asks upstreams, no more at a time than their `max_concurrent`."""

    def __init__(self) -> None:
        self._asking = 0
        self._turn = 0

    async def relay(self, forward: Forward, asked: Message, protocol: Protocol, namespace: str | None) -> bytes:
        """What an upstream answers to a client's query, as it came: SERVFAIL where none does, REFUSED where too many
        are being asked."""
        if self._asking >= forward.max_concurrent:
            return dns_wire.empty(asked, dns.rcode.REFUSED)
        reply = await self._ask(forward, asked, protocol, namespace)
        if reply is None:
            return dns_wire.empty(asked, dns.rcode.SERVFAIL)
        reply.id = asked.id
        wire = reply.to_wire(max_size=_LARGEST_BYTES)
        too_large = protocol == "udp" and len(wire) > dns_wire.limit_bytes(asked, protocol)
        return dns_wire.cut(asked, reply) if too_large else wire

    async def look_up(
        self, forward: Forward, name: str, type: dns.rdatatype.RdataType, namespace: str | None
    ) -> Sequence[dns.rrset.RRset]:
        """The records that an upstream has for a name; none where it has or says none."""
        if self._asking >= forward.max_concurrent:
            return ()
        asked = dns.message.make_query(name, type, use_edns=0, payload=dns_wire.LARGEST_UDP_BYTES)
        reply = await self._ask(forward, asked, "udp", namespace)
        if reply is not None and reply.flags & dns.flags.TC:
            reply = await self._ask(forward, asked, "tcp", namespace)
        return () if reply is None else reply.answer

    async def _ask(
        self, forward: Forward, asked: Message, protocol: Protocol, namespace: str | None
    ) -> Message | None:
        """The reply of the first upstream that has one."""
        query = dns.message.from_wire(asked.to_wire())
        self._asking += 1
        try:
            for upstream in self._order(forward):
                query.id = random.SystemRandom().randrange(1 << 16)
                try:
                    exchange = _exchange(forward, query, protocol, upstream, namespace)
                    return await asyncio.wait_for(exchange, UPSTREAM_S)
                except (OSError, asyncio.TimeoutError, EOFError, dns.exception.DNSException) as error:
                    _log.info("no answer from upstream %s: %r", upstream[0], error)
        finally:
            self._asking -= 1
        return None

    def _order(self, forward: Forward) -> Sequence[Upstream]:
        upstreams = forward.upstreams
        if forward.policy == "random":
            return random.sample(upstreams, len(upstreams))
        if forward.policy == "round_robin":
            first = self._turn % len(upstreams)
            self._turn += 1
            return (*upstreams[first:], *upstreams[:first])
        return upstreams


async def _exchange(
    forward: Forward, query: Message, protocol: Protocol, upstream: Upstream, namespace: str | None
) -> Message:
    """By the client's own protocol, unless the Corefile says otherwise."""
    if forward.prefer_udp or (protocol == "udp" and not forward.force_tcp):
        reply = await _by_udp(query, upstream, namespace)
        if protocol == "udp" or not reply.flags & dns.flags.TC:
            return reply
    return await _by_tcp(query, upstream, namespace)


def _socket(kind: socket.SocketKind, upstream: Upstream, namespace: str | None) -> socket.socket:
    made = netns.socket_at(namespace, socket.AF_INET6 if ":" in upstream[0] else socket.AF_INET, kind)
    made.setblocking(False)
    return made


async def _by_udp(query: Message, upstream: Upstream, namespace: str | None) -> Message:
    loop = asyncio.get_running_loop()
    with _socket(socket.SOCK_DGRAM, upstream, namespace) as client:
        await loop.sock_connect(client, upstream)
        await loop.sock_sendall(client, query.to_wire())
        while True:
            received = await loop.sock_recv(client, _LARGEST_BYTES)
            try:
                reply = dns.message.from_wire(received, ignore_trailing=True)
            except dns.exception.DNSException as error:
                _log.info("upstream %s sent what is no message: %s", upstream[0], error)
                continue
            if query.is_response(reply):
                return reply


async def _by_tcp(query: Message, upstream: Upstream, namespace: str | None) -> Message:
    loop = asyncio.get_running_loop()
    with _socket(socket.SOCK_STREAM, upstream, namespace) as client:
        await loop.sock_connect(client, upstream)
        await loop.sock_sendall(client, query.to_wire(prepend_length=True))
        length = int.from_bytes(await _exactly(client, 2), "big")
        reply = dns.message.from_wire(await _exactly(client, length))
        if not query.is_response(reply):
            raise ConnectionError("the reply is to another query")
        return reply


async def _exactly(client: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        more = await asyncio.get_running_loop().sock_recv(client, count - len(received))
        if not more:
            raise EOFError("the upstream closed the connection")
        received += more
    return received
