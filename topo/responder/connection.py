"""One accepted connection, as asyncio sees it; what is said on it is in `talks`."""

from __future__ import annotations

import asyncio
from typing import cast

from topo.responder.running import Running
from topo.responder.talk import Talk
from topo.responder.talks import begin
from topo.servers import Server


class Connection(asyncio.Protocol):
    """`client` is the peer as "address:port"."""

    __slots__ = ("_client", "_running", "_server", "_talk", "_transport")

    def __init__(self, running: Running, server: Server, client: str) -> None:
        self._running, self._server, self._client = running, server, client
        self._talk: Talk | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._running.closed:
            self._transport.abort()
            return
        self._running.transports.add(self._transport)
        self._talk = begin(self._transport, self._running, self._server, self._client)

    def data_received(self, data: bytes) -> None:
        if self._talk is not None:
            self._talk.feed(data)

    def eof_received(self) -> bool:
        if self._talk is not None:
            self._talk.end()
        return True  # it closes when what it has to say is said

    def connection_lost(self, error: Exception | None) -> None:
        self._running.transports.discard(self._transport)
        if self._talk is not None:
            self._talk.abandon()

    # A client that asks and asks but does not read is not listened to any more.
    def pause_writing(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()
