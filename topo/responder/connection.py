"""One accepted connection: by the kind of its server, and an application's by the first bytes, HTTP, gRPC or lines."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime, timezone
from typing import Protocol, cast

from topo.responder import dial, paths, words
from topo.responder.http1 import METHODS, BadRequest, Parser, Request, Response, encode
from topo.responder.running import Running
from topo.servers import Server

_HTTP2 = b"PRI * HTTP/2.0\r\n"
_OPENINGS = (_HTTP2, *(method + b" " for method in METHODS))


class _Talk(Protocol):
    """What is said on a connection."""

    def feed(self, data: bytes) -> None: ...

    def end(self) -> None:
        """The client will send no more."""


class Connection(asyncio.Protocol):
    """`client` is the peer as "address:port"."""

    __slots__ = ("_client", "_opening", "_running", "_server", "_talk", "_transport")

    def __init__(self, running: Running, server: Server, client: str) -> None:
        self._running, self._server, self._client = running, server, client
        self._talk: _Talk | None = None
        self._opening = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._running.closed:
            self._transport.abort()
            return
        self._running.transports.add(self._transport)
        if self._server.kind == "serve-hostname":
            self._transport.write(self._running.container.hostname.encode())
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._talk is None:
            self._opening += data
            self._talk = self._choose(self._opening)
            if self._talk is None:
                return
            data, self._opening = self._opening, b""
        self._talk.feed(data)

    def eof_received(self) -> bool:
        if self._talk is None and self._opening:
            self._talk = _Lines(self._transport, self._running.container.hostname)
            self._talk.feed(self._opening)
        if self._talk is not None:
            self._talk.end()
            return True  # it closes when what it has to say is said
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._running.transports.discard(self._transport)
        if isinstance(self._talk, _Http):
            self._talk.abandon()

    # A client that asks and asks but does not read is not listened to any more.
    def pause_writing(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _choose(self, opening: bytes) -> _Talk | None:
        """How this client speaks; None while that is open."""
        kind, hostname = self._server.kind, self._running.container.hostname
        if self._server.protocol == "sctp" and kind in ("netexec", "text"):
            return _Words(self._transport, self._server, hostname, self._client)
        if kind != "application":
            return _Http(self._transport, self._running, self._server, self._client)
        if opening.startswith(_HTTP2):
            return _Http2(self._transport, hostname)
        if opening.startswith(_OPENINGS):
            return _Http(self._transport, self._running, self._server, self._client)
        if any(known.startswith(opening) for known in _OPENINGS):
            return None
        return _Lines(self._transport, hostname)


class _Lines:
    """Each line that the client sends, and what is left at the end, is answered with a line: the hostname."""

    def __init__(self, transport: asyncio.Transport, hostname: str) -> None:
        self._transport, self._line = transport, f"{hostname}\n".encode()
        self._unanswered = False

    def feed(self, data: bytes) -> None:
        self._unanswered = not data.endswith(b"\n")
        lines = data.count(b"\n")
        if lines:
            self._transport.write(self._line * lines)

    def end(self) -> None:
        if self._unanswered:
            self._transport.write(self._line)
        self._transport.close()


class _Words:
    """An SCTP client's first message is answered, then it is over, as upstream's server does."""

    def __init__(self, transport: asyncio.Transport, server: Server, hostname: str, client: str) -> None:
        self._transport, self._server, self._hostname, self._client = transport, server, hostname, client

    def feed(self, data: bytes) -> None:
        answer = words.answer(self._server.kind, data, self._hostname, self._client, self._server.text)
        if answer is not None:
            self._transport.write(answer)
        self._transport.close()

    def end(self) -> None:
        self._transport.close()


class _Http2:
    """gRPC health. The library is loaded when the first such client comes."""

    def __init__(self, transport: asyncio.Transport, hostname: str) -> None:
        from topo.responder.grpc_health import HealthServer

        self._transport, self._server = transport, HealthServer(hostname)

    def feed(self, data: bytes) -> None:
        self._transport.write(self._server.feed(data))
        if self._server.closing:
            self._transport.close()

    def end(self) -> None:
        self._transport.close()


class _Http:
    """Requests are answered in the order in which they came, one at a time."""

    def __init__(self, transport: asyncio.Transport, running: Running, server: Server, client: str) -> None:
        self._transport, self._running = transport, running
        self._server, self._client = server, client
        self._parser = Parser()
        self._waiting: deque[Request] = deque()
        self._busy: asyncio.Task[None] | None = None
        self._ended = False

    def feed(self, data: bytes) -> None:
        if self._ended:
            return
        try:
            self._waiting.extend(self._parser.feed(data))
        except BadRequest as bad:
            self._ended = True
            self._transport.write(encode(Response(bad.status, f"{bad}\n", close=True)))
            self._transport.close()
            return
        if self._parser.interim:
            self._transport.write(self._parser.interim)
            self._parser.interim = b""
        self._go_on()

    def end(self) -> None:
        self._ended = True
        self._go_on()

    def abandon(self) -> None:
        if self._busy is not None:
            self._busy.cancel()

    def _go_on(self) -> None:
        while self._waiting and self._busy is None and not self._transport.is_closing():
            self._answer(self._waiting.popleft())
        if self._ended and self._busy is None:
            self._transport.close()

    def _answer(self, request: Request) -> None:
        container, running = self._running.container, self._running
        terminating = running.terminating is not None
        now = datetime.now(timezone.utc).isoformat(" ")
        asked = paths.Asked(self._server, container.hostname, self._client, running.ready, terminating, now)
        answer = paths.answer(request, asked)
        if isinstance(answer, paths.Dial):
            # What the client sends meanwhile waits in the kernel, and so in the end at the client.
            self._transport.pause_reading()
            self._busy = asyncio.get_running_loop().create_task(self._dial(request, answer))
        elif isinstance(answer, paths.Exit):
            self._exit(request, answer)
        else:
            self._write(request, answer)

    async def _dial(self, request: Request, asked: paths.Dial) -> None:
        response = await dial.run(asked, self._running.container.netns)
        self._busy = None
        if not self._transport.is_closing():
            self._write(request, response)
            self._transport.resume_reading()
            self._go_on()

    def _exit(self, request: Request, exit: paths.Exit) -> None:
        if exit.graceful:
            self._write(request, Response(close=True))
        asyncio.get_running_loop().call_later(exit.wait_s, self._running.exit, exit.code)

    def _write(self, request: Request, response: Response) -> None:
        self._transport.write(encode(response, request.method, request.keep_alive))
        if response.close or not request.keep_alive:
            self._transport.close()
