"""The DNS servers of this process: a query in, the response out; those that were asked before, from memory.

What is remembered is a response's bytes under the query's (but for its id). Each time it is looked whether the names
still say the same, which costs a hundredth of making a message; so nothing has to be forgotten when names change.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import dns.exception
import dns.rcode
import dns.rdatatype
from dns.message import Message

from cluster.corefile import Corefile
from cluster.dns_answers import Answer, answer
from cluster.dns_index import Index
from topo.responder import dns_quick, dns_wire
from topo.responder.forwarding import Forwarder
from topo.responder.names import Names
from topo.servers import Protocol

_ID_BYTES = 2
_LONGEST_REMEMBERED_BYTES = 300
"""A name has 255 bytes at most."""
_REMEMBERED_BYTES = 16 << 20
_ENTRY_BYTES = 1000
"""What a remembered response takes besides its bytes, roughly."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Remembered:
    """`said` is what `index` and `corefile` say of this name and type; `wires` the response in each order (without its
    id), empty until it is first used."""

    name: str
    type: str
    index: Index
    corefile: Corefile
    said: Answer
    wires: list[bytes]
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """A query whose answer others know: `DnsServer.complete` asks them."""

    asked: Message
    said: Answer
    protocol: Protocol


class DnsServer:
    """All DNS servers of this process: they know the same names."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._forwarder = Forwarder()
        self._memory: dict[tuple[Protocol, bytes], _Remembered] = {}
        self._bytes = 0

    def respond(self, query: bytes, protocol: Protocol) -> bytes | Pending | None:
        """The response; None for silence (to what is no query)."""
        index, corefile = self.names.index, self.names.corefile
        key = (protocol, query[_ID_BYTES:])
        known = self._memory.get(key)
        if known is not None and index is not None:
            if known.index is not index or known.corefile is not corefile:
                said = answer(index, corefile, known.name, known.type)
                if said != known.said:
                    self._forget(key)
                    return self._respond(query, protocol, index, corefile)
                known.index, known.corefile = index, corefile
            turn = known.turn
            known.turn = turn + 1 if turn + 1 < len(known.wires) else 0
            return query[:_ID_BYTES] + (known.wires[turn] or self._in_order(query, key, turn))
        return self._respond(query, protocol, index, corefile)

    async def complete(self, pending: Pending, netns: str | None) -> bytes:
        """The response with what an upstream says, asked from the network namespace `netns`."""
        asked, said = pending.asked, pending.said
        assert said.forward is not None
        if not said.records:
            return await self._forwarder.relay(said.forward, asked, pending.protocol, netns)
        type = asked.question[0].rdtype
        more = await self._forwarder.look_up(said.forward, said.asked, type, netns)
        return dns_wire.response(asked, said, pending.protocol, more=more)

    def _respond(
        self, query: bytes, protocol: Protocol, index: Index | None, corefile: Corefile
    ) -> bytes | Pending | None:
        quick = None if index is None else dns_quick.read(query)
        if quick is not None and index is not None:
            said = answer(index, corefile, quick.name, quick.type)
            if said.forward is None:
                known = _Remembered(quick.name, quick.type, index, corefile, said, [])
                return self._answered(query, protocol, known, quick, remember=True)
        asked = dns_wire.read(query)
        if asked is None or isinstance(asked, bytes):
            return asked
        refusal = dns_wire.refusal(asked) or (dns.rcode.SERVFAIL if index is None else None)
        if refusal is not None or index is None:
            return dns_wire.empty(asked, refusal or dns.rcode.SERVFAIL)
        question = asked.question[0]
        name, type = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        said = answer(index, corefile, name, type)
        if said.forward is not None:
            return Pending(asked, said, protocol)
        # An EDNS option, as a cookie, is another one each time.
        remember = not asked.options and len(query) <= _LONGEST_REMEMBERED_BYTES
        return self._answered(query, protocol, _Remembered(name, type, index, corefile, said, []), asked, remember)

    def _answered(
        self, query: bytes, protocol: Protocol, known: _Remembered, asked: dns_quick.Query | Message, remember: bool
    ) -> bytes:
        try:
            wire = _made(query, asked, known.said, protocol)
        except dns.exception.DNSException as error:
            _log.error("no answer to %s: %s", known.name, error)
            return dns_wire.empty(_message(query), dns.rcode.SERVFAIL)
        if remember:
            self._remember(query, protocol, known, wire)
        return wire

    def _remember(self, query: bytes, protocol: Protocol, made: _Remembered, wire: bytes) -> None:
        orders = dns_wire.turns(made.said)
        made.wires = [wire[_ID_BYTES:], *[b""] * (orders - 1)]
        made.turn = 1 if orders > 1 else 0
        self._memory[protocol, query[_ID_BYTES:]] = made
        self._bytes += _ENTRY_BYTES + len(query) + len(wire)
        while self._bytes > _REMEMBERED_BYTES:
            self._forget(next(iter(self._memory)))

    def _in_order(self, query: bytes, key: tuple[Protocol, bytes], turn: int) -> bytes:
        """Make the response of this turn."""
        known = self._memory[key]
        wire = _made(query, dns_quick.read(query) or _message(query), known.said, key[0], turn)[_ID_BYTES:]
        known.wires[turn] = wire
        self._bytes += len(wire)
        return wire

    def _forget(self, key: tuple[Protocol, bytes]) -> None:
        known = self._memory.pop(key)
        self._bytes -= _ENTRY_BYTES + _ID_BYTES + len(key[1]) + _ID_BYTES + sum(map(len, known.wires))


def _made(
    query: bytes, asked: dns_quick.Query | Message, said: Answer, protocol: Protocol, turn: int = 0
) -> bytes:
    """The response of this turn. Raises DNSException as `dns_wire.response` does."""
    if isinstance(asked, dns_quick.Query):
        wire = dns_quick.response(asked, query[:_ID_BYTES], said, protocol, turn)
        if wire is not None:
            return wire
        asked = _message(query)
    return dns_wire.response(asked, said, protocol, turn)


def _message(query: bytes) -> Message:
    """A query that has been found to be one."""
    asked = dns_wire.read(query)
    assert asked is not None
    assert not isinstance(asked, bytes)
    return asked
