"""The DNS servers of this process, whose code is loaded when it is needed, or a while after the first of them serves.

dnspython takes as long to load as the rest of this process, every testbed has DNS servers, and its start is what nobody
asks them in.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING

from topo.responder.names import Names
from topo.servers import Protocol

if TYPE_CHECKING:
    from topo.responder.dns_server import DnsServer, Pending

LATER_S = 2.0


class Dns:
    """A `DnsServer` that is made later."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def start(self) -> None:
        """Know names from now on, and be ready to answer soon. In the event loop."""
        self.names.start()
        asyncio.get_running_loop().call_later(LATER_S, lambda: self._server)

    @cached_property
    def _server(self) -> DnsServer:
        from topo.responder.dns_server import DnsServer

        return DnsServer(self.names)

    def respond(self, query: bytes, protocol: Protocol) -> bytes | Pending | None:
        return self._server.respond(query, protocol)

    async def complete(self, pending: Pending, netns: str | None) -> bytes:
        return await self._server.complete(pending, netns)
