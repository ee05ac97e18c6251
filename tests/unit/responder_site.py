"""One container of one server in a registry, asked over loopback: what the tests of the responder share."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from topo.responder.registry import Registry
from topo.servers import Kind, Protocol, ServedContainer, Server

LIMIT_S = 5


def free_port() -> int:
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::", 0))
        return int(probe.getsockname()[1])


class Site:
    """A registry with one container of one server, and what it told about exits."""

    def __init__(self, kind: Kind, protocol: Protocol = "tcp", delay_shutdown_s: float = 0, **server: object) -> None:
        self.exits: list[tuple[str, int]] = []
        self.port = free_port()
        self.registry = Registry(lambda id, code: self.exits.append((id, code)))
        described = Server(protocol, self.port, kind, **server)  # type: ignore[arg-type]
        self.container = ServedContainer("u1/c", None, "web-1", (described,), delay_shutdown_s)

    async def ask(self, data: bytes, half_close: bool = False) -> bytes:
        """What comes back until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        if half_close:
            writer.write_eof()
        try:
            return await asyncio.wait_for(reader.read(), LIMIT_S)
        finally:
            writer.close()

    async def get(self, target: str, *headers: str, method: str = "GET") -> tuple[int, str]:
        """Status and body of one request on a connection of its own."""
        lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
        head, _, body = (await self.ask("\r\n".join(lines).encode())).partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()


def on(site: Site, scenario: Callable[[Site], Awaitable[None]]) -> None:
    """Run a scenario while the site is served."""

    async def run() -> None:
        assert site.registry.serve(site.container).error is None
        try:
            await scenario(site)
        finally:
            site.registry.clear()

    asyncio.run(run())
