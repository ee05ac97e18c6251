"""An upgraded connection: bytes from the client to a backend and back, unseen, as long as both live."""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus

import h11

from cluster.apiserver.exchange import CHUNK_BYTES, Exchange
from cluster.apiserver.serving import Connection


class Tunnels:
    """All tunnels of the server: `stop` cuts them."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        for task in self._running:
            task.cancel()

    async def run(self, connection: Connection, exchange: Exchange, head: h11.InformationalResponse) -> None:
        """Answer the client with the backend's own 101, then pass bytes both ways until the backend has ended."""
        early, from_backend, to_backend = await exchange.streams()
        from_client, to_client = connection.take_over()
        to_client.write(_head(head) + early)
        upwards = self._copy(from_client, to_backend)
        try:
            await self._copy(from_backend, to_client)
        except asyncio.CancelledError:
            to_client.transport.abort()
            raise
        finally:
            upwards.cancel()
            to_client.close()
            to_backend.close()

    def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> asyncio.Task[None]:
        task = asyncio.ensure_future(copy(source, target))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """All bytes, no faster than they are taken; then the end is passed on, where half a connection can end."""
    with contextlib.suppress(OSError):  # one of the two is gone, so there is nobody to tell
        while data := await source.read(CHUNK_BYTES):
            target.write(data)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()


def _head(head: h11.InformationalResponse) -> bytes:
    status = HTTPStatus(head.status_code)
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    lines += [name + b": " + value for name, value in head.headers.raw_items()]
    return b"\r\n".join([*lines, b"", b""])
