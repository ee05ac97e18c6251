"""DNS over TCP: each message has its length before it, in two bytes (RFC 1035, section 4.2.2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from topo.responder.running import Running
from topo.responder.talk import Talk
from topo.responder.tls import Wire

if TYPE_CHECKING:
    from topo.responder.dns_server import Pending


class DnsTalk(Talk):
    """Answers go out when they are known, whatever the order of the questions (RFC 7766, section 6.2.1.1)."""

    def __init__(self, wire: Wire, running: Running) -> None:
        self._wire, self._running = wire, running
        self._received = bytearray()
        self._pending: set[asyncio.Task[None]] = set()
        self._ended = False

    def feed(self, data: bytes) -> None:
        received = self._received
        received += data
        while len(received) >= 2 and len(received) >= (end := 2 + int.from_bytes(received[:2], "big")):
            answer = self._running.dns.respond(bytes(received[2:end]), "tcp")
            del received[:end]
            if isinstance(answer, bytes):
                self._write(answer)
            elif answer is not None:
                task = asyncio.get_running_loop().create_task(self._complete(answer))
                self._pending.add(task)
                task.add_done_callback(self._completed)

    def end(self) -> None:
        self._ended = True
        if not self._pending:
            self._wire.close()

    def abandon(self) -> None:
        for task in self._pending:
            task.cancel()

    async def _complete(self, pending: Pending) -> None:
        self._write(await self._running.dns.complete(pending, self._running.container.netns))

    def _completed(self, task: asyncio.Task[None]) -> None:
        self._pending.discard(task)
        if self._ended and not self._pending:
            self._wire.close()

    def _write(self, answer: bytes) -> None:
        if not self._wire.is_closing():
            self._wire.write(len(answer).to_bytes(2, "big") + answer)
