"""From a request to streams: which protocol the client speaks, and the answer that switches to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from wsproto.utilities import generate_accept_token

from topo.kubelet import spdy_streams, tasks, websocket
from topo.kubelet.process import Wanted
from topo.kubelet.remote import Connection
from topo.kubelet.spdy_streams import SpdyConnection, Wire
from topo.kubelet.targets import NotThere
from topo.kubelet.websocket import Socket, SocketWire, WebSocketConnection

_SPDY = "SPDY/3.1"
_FAREWELL_S = 1.0


class Exchange(Protocol):
    async def switch(self, status: int, headers: Mapping[str, str]) -> Wire: ...


class Upgrade:
    """What a request asks for. `wanted` are the streams of an exec or attach; None for a port-forward to `ports`."""

    def __init__(
        self, headers: Mapping[str, str], early: bytes, wanted: Wanted | None, ports: Sequence[int] = ()
    ) -> None:
        self._headers, self._early, self._wanted, self._ports = headers, early, wanted, ports

    @contextlib.asynccontextmanager
    async def connection(self, exchange: Exchange) -> AsyncIterator[Connection]:
        """The connection, closed at the end. Raises NotThere where the client speaks nothing that is spoken here."""
        asked = self._headers.get("upgrade", "").lower()
        if asked == "websocket":
            made = await self._websocket(exchange)
        elif asked == _SPDY.lower():
            made = await self._spdy(exchange)
        else:
            raise NotThere(400, "unable to upgrade: missing upgrade headers in request")
        taking = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            await made.close()
            # The client has its say, so that it is not cut off from what was sent to it.
            await asyncio.wait([taking], timeout=_FAREWELL_S)
            await tasks.cancel([taking])

    async def _spdy(self, exchange: Exchange) -> SpdyConnection:
        known = spdy_streams.PORT_FORWARD_PROTOCOLS if self._wanted is None else spdy_streams.EXEC_PROTOCOLS
        protocol = self._chosen("x-stream-protocol-version", known)
        headers = {"Upgrade": _SPDY, "Connection": "Upgrade", "X-Stream-Protocol-Version": protocol}
        wire = await exchange.switch(101, headers)
        return SpdyConnection(_After(wire, self._early), self._wanted)

    async def _websocket(self, exchange: Exchange) -> SpdyConnection | WebSocketConnection:
        known = websocket.PORT_FORWARD_PROTOCOLS if self._wanted is None else websocket.EXEC_PROTOCOLS
        protocol = self._chosen("sec-websocket-protocol", known)
        if not (key := self._headers.get("sec-websocket-key")):
            raise NotThere(400, "unable to upgrade: no Sec-WebSocket-Key")
        headers: dict[str, str] = {
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Protocol": protocol,
            "Sec-WebSocket-Accept": generate_accept_token(key.encode()).decode(),
        }  # fmt: skip
        socket = Socket(await exchange.switch(101, headers), self._early)
        if protocol == websocket.SPDY_PROTOCOL:
            return SpdyConnection(SocketWire(socket), self._wanted)
        return WebSocketConnection(socket, protocol, self._wanted, self._ports)

    def _chosen(self, header: str, known: Sequence[str]) -> str:
        """The first that we like of those that the client offers."""
        offered = [word.strip() for word in self._headers.get(header, "").split(",")]
        for protocol in known:
            if protocol in offered:
                return protocol
        raise NotThere(403, f"unable to upgrade: none of the client's protocols {offered} is among {list(known)}")


class _After:
    """A wire of which something has been read already."""

    def __init__(self, wire: Wire, early: bytes) -> None:
        self._wire, self._early = wire, early

    async def read(self) -> bytes:
        early, self._early = self._early, b""
        return early or await self._wire.read()

    async def write(self, data: bytes) -> None:
        await self._wire.write(data)

    async def close(self) -> None:
        await self._wire.close()
