"""One HTTP exchange of the API server as a client: with the kubelet, or through it with what runs in the testbed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus

import h11

from cluster.registry import errors

CHUNK_BYTES = 1 << 16
Headers = Iterable[tuple[bytes, bytes]]
Head = h11.Response | h11.InformationalResponse

HOP_BY_HOP = frozenset((
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer",
    b"transfer-encoding", b"upgrade",
))  # fmt: skip
"""RFC 9110, section 7.6.1: about one connection, so not to be passed on."""


class Exchange:
    """One request on a connection of its own; `close` ends it, whatever is under way."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._protocol = h11.Connection(h11.CLIENT)

    @classmethod
    async def open(cls, socket_path: str) -> Exchange:
        """With the kubelet. Raises StatusError 503 when it is not there."""
        try:
            return cls(*await asyncio.open_unix_connection(socket_path, limit=CHUNK_BYTES))
        except OSError as error:
            raise errors.service_unavailable(f"error dialing backend: {error.strerror}") from error

    @classmethod
    async def connect(cls, socket_path: str, host: str, port: int) -> Exchange:
        """With a server in the testbed, through the kubelet's CONNECT. Raises StatusError 503."""
        exchange = await cls.open(socket_path)
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        head = await exchange.ask("CONNECT", address, [(b"host", address.encode())])
        if head.status_code != HTTPStatus.OK:
            reason = await exchange.text()
            exchange.close()
            raise errors.service_unavailable(f"error trying to reach service: {reason}")
        return cls(exchange._reader, exchange._writer)

    async def ask(self, method: str, target: str, headers: Headers, body: AsyncIterator[bytes] | None = None) -> Head:
        """Send a request; the head of its answer. Raises StatusError 503 when the other end breaks off."""
        try:
            self._send(h11.Request(method=method, target=target, headers=list(headers)))
            if body is not None:
                async for part in body:
                    self._send(h11.Data(data=part))
                    await self._writer.drain()
            self._send(h11.EndOfMessage())
            await self._writer.drain()
            while True:
                event = await self._next()
                if isinstance(event, h11.Response):
                    return event
                if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                    return event
        except (OSError, h11.RemoteProtocolError) as error:
            self.close()
            raise errors.service_unavailable(f"error trying to reach service: {error}") from error

    async def body(self) -> AsyncIterator[bytes]:
        """What follows the head, as it comes; afterwards the connection is closed."""
        try:
            while isinstance(event := await self._next(), h11.Data):
                yield bytes(event.data)
        finally:
            self.close()

    async def text(self) -> str:
        return b"".join([part async for part in self.body()]).decode(errors="replace").strip()

    def streams(self) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
        """After an upgrade: what has come already, and the connection."""
        return self._protocol.trailing_data[0], self._reader, self._writer

    def close(self) -> None:
        self._writer.close()

    def _send(self, event: h11.Event) -> None:
        self._writer.write(self._protocol.send(event) or b"")

    async def _next(self) -> h11.Event:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            self._protocol.receive_data(await self._reader.read(CHUNK_BYTES))
        if event is h11.PAUSED:
            raise h11.RemoteProtocolError("data after the end of the answer")
        return event  # type: ignore[return-value]
