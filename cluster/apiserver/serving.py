"""The API server's connections: one uvicorn server for all sockets, with TLS on some, and connections that can leave HTTP.

A request finds its connection in `request.state.connection`: who is at the other end, and `take_over`, by which an
upgraded connection becomes a plain stream of bytes (exec, attach, port-forward, proxied WebSockets).
"""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from cluster.apiserver.authentication import PeerCertificate
from cluster.apiserver.pki import Pki

SHUTDOWN_TIMEOUT_S = 2
"""Streams end by themselves at shutdown; a client that does not read must not hold it up."""

KEEP_ALIVE_S = 75
"""As nginx. kubectl and client-go keep connections for 90 s, and a reused one that just closed is an error to a POST."""

_STREAM_BUFFER_BYTES = 1 << 18

_SEND_BUFFER_BYTES = 4 << 20
"""So that a thousand pods leave in one step: while the control loops are at work, the next step is long in coming."""
_SO_SNDBUFFORCE = 32


class Connection(H11Protocol):
    """An HTTP/1.1 connection. An Upgrade header is left to the request's handler."""

    def __init__(self, **options: Any) -> None:
        options["app_state"] = {**options["app_state"], "connection": self}
        super().__init__(**options)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        give_room(transport.get_extra_info("socket"))
        super().connection_made(transport)

    @property
    def peer_certificate(self) -> PeerCertificate | None:
        """The client's certificate, verified; None where it has none, or without TLS."""
        tls = self.transport.get_extra_info("ssl_object")
        return tls.getpeercert() or None if tls is not None else None

    @property
    def is_local(self) -> bool:
        """Whether the other end is on the internal socket, which only the testbed's owner can open."""
        return self.transport.get_extra_info("ssl_object") is None

    def take_over(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection as streams, from the first byte after the request. Nothing may have been answered yet."""
        reader = asyncio.StreamReader(limit=_STREAM_BUFFER_BYTES, loop=self.loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=self.loop)
        early, _ = self.conn.trailing_data
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        self.cycle.disconnected = True  # nobody is left to answer, which uvicorn would take for a failure
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        if early:
            reader.feed_data(early)
        self.flow.resume_reading()
        return reader, asyncio.StreamWriter(self.transport, protocol, reader, self.loop)

    def _should_upgrade(self) -> bool:
        return False


def give_room(to: socket.socket) -> None:
    """A large send buffer, or as large as the host allows (socket(7), wmem_max)."""
    try:
        to.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER_BYTES)
    except PermissionError:
        to.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)


class Server(uvicorn.Server):
    """`on_stop` is called when it is asked to end, before it waits for its streams."""

    def __init__(self, app: Any, on_stop: Callable[[], None], on_start: Callable[[Server], Any]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,
                http=Connection,
                interface="asgi3",
                lifespan="off",
                log_level="warning",
                server_header=False,
                timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
                timeout_keep_alive=KEEP_ALIVE_S,
                ws="none",
            )
        )
        self._on_stop = on_stop
        self._on_start = on_start
        self._starting: asyncio.Future[None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Until it is asked to end. Raises what `on_start` raised: a server that is open to nobody must not go on."""
        await super().serve(sockets)
        if self._starting is not None and not self._starting.cancelled():
            self._starting.result()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._starting = asyncio.ensure_future(self._on_start(self))
        self._starting.add_done_callback(self._started)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Whoever is asked to end while still starting must not open what nobody would close.
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        await super().shutdown(sockets)

    async def add_tls(self, sockets: Sequence[socket.socket], context: ssl.SSLContext) -> None:
        """Answer on these sockets too, over TLS."""
        for listener in sockets:
            self.servers.append(
                await asyncio.get_running_loop().create_server(self._connection, sock=listener, ssl=context)
            )

    def _connection(self) -> Connection:
        return Connection(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    def _started(self, starting: asyncio.Future[None]) -> None:
        if not starting.cancelled() and starting.exception() is not None:
            self.handle_exit(signal.SIGTERM, None)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's own: the signal is not raised again afterwards, since a requested end is no failure."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._on_stop()
        super().handle_exit(sig, frame)


def tls_context(pki: Pki) -> ssl.SSLContext:
    """The server's side of TLS. A client may show a certificate; one that this authority did not sign is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pki.server_certificate, pki.server_key)
    context.load_verify_locations(pki.ca_certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context
