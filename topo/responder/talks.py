"""What is said on a connection, by the kind of its server; an application's by the client's first bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime, timezone

from topo.responder import dial, paths, words
from topo.responder.dns_talk import DnsTalk
from topo.responder.http1 import METHODS, BadRequest, Parser, Request, Response, encode
from topo.responder.running import Running
from topo.responder.talk import Talk
from topo.responder.tls import Tls, Wire
from topo.servers import Server

_HTTP2 = b"PRI * HTTP/2.0\r\n"
_TLS = b"\x16\x03"
"""A handshake record of any TLS (RFC 8446, section 5.1)."""
_OPENINGS = (_TLS, _HTTP2, *(method + b" " for method in METHODS))


def begin(wire: Wire, running: Running, server: Server, client: str) -> Talk:
    """How a server of this kind talks, to the client at "address:port"."""
    hostname = running.container.hostname
    if server.protocol == "sctp" and server.kind in ("netexec", "text"):
        return _Words(wire, server, hostname, client)
    if server.kind == "application":
        return _Application(wire, running, server, client)
    if server.kind == "serve-hostname":
        return _Greeting(wire, hostname)
    if server.kind == "dns":
        return DnsTalk(wire, running)
    return _Http(wire, running, server, client)


class _Greeting(Talk):
    """The hostname to whoever connects, and that was it."""

    def __init__(self, wire: Wire, hostname: str) -> None:
        wire.write(hostname.encode())
        wire.close()


class _Application(Talk):
    """TLS, HTTP, gRPC or lines, as the client begins."""

    def __init__(self, wire: Wire, running: Running, server: Server, client: str) -> None:
        self._wire, self._running, self._server, self._client = wire, running, server, client
        self._opening = b""
        self._talk: Talk | Tls | None = None

    def feed(self, data: bytes) -> None:
        if self._talk is None:
            self._opening += data
            if any(known.startswith(self._opening) for known in _OPENINGS if known != self._opening):
                return
            self._talk = self._chosen()
            data, self._opening = self._opening, b""
        self._talk.feed(data)

    def end(self) -> None:
        if self._talk is None and self._opening:
            self._talk = _Lines(self._wire, self._running.container.hostname)
            self._talk.feed(self._opening)
        if self._talk is None:
            self._wire.close()
        else:
            self._talk.end()

    def abandon(self) -> None:
        if self._talk is not None:
            self._talk.abandon()

    def _chosen(self) -> Talk | Tls:
        hostname = self._running.container.hostname
        if self._opening.startswith(_TLS):
            return Tls(self._wire, lambda wire: _Application(wire, self._running, self._server, self._client))
        if self._opening.startswith(_HTTP2):
            return _Http2(self._wire, hostname)
        if self._opening.startswith(_OPENINGS):
            return _Http(self._wire, self._running, self._server, self._client)
        return _Lines(self._wire, hostname)


class _Lines(Talk):
    """Each line that the client sends, and what is left at the end, is answered with a line: the hostname."""

    def __init__(self, wire: Wire, hostname: str) -> None:
        self._wire, self._line = wire, f"{hostname}\n".encode()
        self._unanswered = False

    def feed(self, data: bytes) -> None:
        self._unanswered = not data.endswith(b"\n")
        lines = data.count(b"\n")
        if lines:
            self._wire.write(self._line * lines)

    def end(self) -> None:
        if self._unanswered:
            self._wire.write(self._line)
        self._wire.close()


class _Words(Talk):
    """An SCTP client's first message is answered, then it is over, as upstream's server does."""

    def __init__(self, wire: Wire, server: Server, hostname: str, client: str) -> None:
        self._wire, self._server, self._hostname, self._client = wire, server, hostname, client

    def feed(self, data: bytes) -> None:
        answer = words.answer(self._server.kind, data, self._hostname, self._client, self._server.text)
        if answer is not None:
            self._wire.write(answer)
        self._wire.close()

    def end(self) -> None:
        self._wire.close()


class _Http2(Talk):
    """gRPC health. The library is loaded when the first such client comes."""

    def __init__(self, wire: Wire, hostname: str) -> None:
        from topo.responder.grpc_health import HealthServer

        self._wire, self._server = wire, HealthServer(hostname)

    def feed(self, data: bytes) -> None:
        self._wire.write(self._server.feed(data))
        if self._server.closing:
            self._wire.close()

    def end(self) -> None:
        self._wire.close()


class _Http(Talk):
    """Requests are answered in the order in which they came, one at a time."""

    def __init__(self, wire: Wire, running: Running, server: Server, client: str) -> None:
        self._wire, self._running = wire, running
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
            self._wire.write(encode(Response(bad.status, f"{bad}\n", close=True)))
            self._wire.close()
            return
        if self._parser.interim:
            self._wire.write(self._parser.interim)
            self._parser.interim = b""
        self._go_on()

    def end(self) -> None:
        self._ended = True
        self._go_on()

    def abandon(self) -> None:
        if self._busy is not None:
            self._busy.cancel()

    def _go_on(self) -> None:
        while self._waiting and self._busy is None and not self._wire.is_closing():
            self._answer(self._waiting.popleft())
        if self._ended and self._busy is None:
            self._wire.close()

    def _answer(self, request: Request) -> None:
        container, running = self._running.container, self._running
        running.log.say(f"{request.method} {request.target}")
        terminating = running.terminating is not None
        now = datetime.now(timezone.utc).isoformat(" ")
        asked = paths.Asked(self._server, container.hostname, self._client, running.ready, terminating, now)
        answer = paths.answer(request, asked)
        if isinstance(answer, paths.Dial):
            # What the client sends meanwhile waits in the kernel, and so in the end at the client.
            self._wire.pause_reading()
            self._busy = asyncio.get_running_loop().create_task(self._dial(request, answer))
        elif isinstance(answer, paths.Exit):
            self._exit(request, answer)
        else:
            self._write(request, answer)

    async def _dial(self, request: Request, asked: paths.Dial) -> None:
        response = await dial.run(asked, self._running.container.netns)
        self._busy = None
        if not self._wire.is_closing():
            self._write(request, response)
            self._wire.resume_reading()
            self._go_on()

    def _exit(self, request: Request, exit: paths.Exit) -> None:
        if exit.graceful:
            self._write(request, Response(close=True))
        asyncio.get_running_loop().call_later(exit.wait_s, self._running.exit, exit.code)

    def _write(self, request: Request, response: Response) -> None:
        self._wire.write(encode(response, request.method, request.keep_alive))
        if response.close or not request.keep_alive:
            self._wire.close()
