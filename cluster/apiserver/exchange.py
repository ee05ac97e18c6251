"""One HTTP exchange of the API server as a client: with the kubelet, or through it with what runs in the testbed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus

import h11
from starlette.requests import ClientDisconnect

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
    """One request on a connection of its own; `close` ends it, whatever is under way.

    The answer is read while the request is still being sent, and from the socket itself: an asyncio transport drops what
    it has not read yet when a write fails, and a server may well answer and hang up before it has read everything.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._protocol = h11.Connection(h11.CLIENT)
        self._sending: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, socket_path: str) -> Exchange:
        """With the kubelet. Raises StatusError 503 when it is not there."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, socket_path)
        except OSError as error:
            connection.close()
            raise errors.service_unavailable(f"error dialing backend: {error.strerror}") from error
        return cls(connection)

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
        return cls(exchange._connection)

    async def ask(self, method: str, target: str, headers: Headers, body: AsyncIterator[bytes] | None = None) -> Head:
        """Send a request; the head of its answer. Raises StatusError 503 when the other end breaks off."""
        request = h11.Request(method=method, target=target, headers=list(headers))
        self._sending = asyncio.ensure_future(self._send_all(request, body))
        try:
            while True:
                event = await self._next()
                if isinstance(event, h11.Response):
                    return event
                if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                    return event
        except (OSError, h11.RemoteProtocolError) as error:
            self.close()
            raise errors.service_unavailable(f"error trying to reach service: {error}") from error
        except BaseException:
            self.close()
            raise

    async def sent(self) -> None:
        """Until the request is sent, or the other end takes no more of it."""
        if self._sending is not None:
            await asyncio.wait([self._sending])

    async def body(self) -> AsyncIterator[bytes]:
        """What follows the head, as it comes; afterwards the connection is closed."""
        try:
            while isinstance(event := await self._next(), h11.Data):
                yield bytes(event.data)
        finally:
            self.close()

    async def text(self) -> str:
        return b"".join([part async for part in self.body()]).decode(errors="replace").strip()

    async def streams(self) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
        """After an upgrade: what has come already, and the connection."""
        await self.sent()
        early = self._protocol.trailing_data[0]
        return early, *await asyncio.open_unix_connection(sock=self._connection, limit=CHUNK_BYTES)

    def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
        # Once the event loop has forgotten that it waited for the socket to take more.
        self._loop.call_soon(self._connection.close)

    async def _send_all(self, request: h11.Request, body: AsyncIterator[bytes] | None) -> None:
        try:
            await self._send(request)
            if body is not None:
                async for part in body:
                    await self._send(h11.Data(data=part))
            await self._send(h11.EndOfMessage())
        except OSError:
            pass  # The other end takes no more. What it answered, or that it did not, is for who reads.
        except ClientDisconnect:
            self._connection.shutdown(socket.SHUT_RDWR)

    async def _send(self, event: h11.Event) -> None:
        await self._loop.sock_sendall(self._connection, self._protocol.send(event) or b"")

    async def _next(self) -> h11.Event:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            self._protocol.receive_data(await self._loop.sock_recv(self._connection, CHUNK_BYTES))
        if event is h11.PAUSED:
            raise h11.RemoteProtocolError("data after the end of the answer")
        return event  # type: ignore[return-value]
