"""Connections into a pod's or node's network, and bytes from one connection to another."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from topo import netns

_AT_ONCE_BYTES = 1 << 16
TIMEOUT_S = 10.0


class Refused(Exception):
    """Nobody could be reached; the message says who and why, in words like Go's."""


async def connect(namespace: str, addresses: tuple[str, ...], port: int) -> socket.socket:
    """A connection to the first of these IP addresses that answers, from a namespace (a path). Raises Refused."""
    reasons = []
    for address in addresses:
        try:
            return await _connect(namespace, address, port)
        except (OSError, asyncio.TimeoutError) as error:
            shown = f"[{address}]" if ":" in address else address
            # asyncio.TimeoutError is OSError's TimeoutError from Python 3.11 on, where the kernel's own has an errno.
            number = error.errno if isinstance(error, OSError) else None
            reason = os.strerror(number).lower() if number else "i/o timeout"
            reasons.append(f"dial tcp {shown}:{port}: connect: {reason}")
    raise Refused("; ".join(reasons))


async def _connect(namespace: str, address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    made = netns.socket_at(namespace, family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(made, (address, port)), TIMEOUT_S)
    except BaseException:
        made.close()
        raise
    return made


class End(Protocol):
    """One end of a relay: a connection, or a stream of one."""

    async def read(self) -> bytes:
        """Empty at the end. Raises ConnectionError."""

    async def write(self, data: bytes) -> None:
        """Raises ConnectionError."""

    async def close(self) -> None:
        """Nothing more will be written."""


class SocketEnd:
    """A connection as an end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def of(cls, connected: socket.socket) -> SocketEnd:
        return cls(*await asyncio.open_connection(sock=connected))

    async def read(self) -> bytes:
        return await self._reader.read(_AT_ONCE_BYTES)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        with contextlib.suppress(OSError):  # not connected any more
            self._writer.write_eof()

    def abandon(self) -> None:
        """Let go of it in both directions."""
        self._writer.close()


async def relay(one: End, other: End) -> None:
    """Bytes both ways, until both have ended. Half a connection may end before the other."""
    await asyncio.gather(copy(one, other), copy(other, one))


async def copy(source: End, target: End) -> None:
    """Bytes one way, to their end, which is passed on too."""
    with contextlib.suppress(ConnectionError):
        while data := await source.read():
            await target.write(data)
    with contextlib.suppress(ConnectionError):
        await target.close()


async def patiently(connect: Callable[[], Awaitable[SocketEnd]], timeout_s: float, pause_s: float) -> SocketEnd:
    """Of a server that may be starting again. Raises OSError after `timeout_s`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        try:
            return await connect()
        except (FileNotFoundError, ConnectionRefusedError):
            if loop.time() > deadline:
                raise
            await asyncio.sleep(pause_s)
