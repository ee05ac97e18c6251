"""A container that is served, as the registry and its connections share it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from topo.responder.dns_later import Dns
from topo.responder.logbook import Log
from topo.servers import ServedContainer, Server


@dataclass(slots=True)
class Running:
    """`exit(code)` ends it by itself. `ready` is what agnhost calls so: its UDP or SCTP server is up. `terminating`
    is the end that SIGTERM has set. `closed`: it is gone, and a connection just accepted is to be dropped. `dns`
    answers what its DNS servers are asked; `pending` are answers that others know. `log`: what it prints."""

    container: ServedContainer
    listeners: list[tuple[Server, socket.socket]]
    exit: Callable[[int], None]
    ready: bool
    dns: Dns
    log: Log
    terminating: asyncio.TimerHandle | None = None
    closed: bool = False
    transports: set[asyncio.Transport] = field(default_factory=set)
    pending: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def serves_dns(self) -> bool:
        return any(server.kind == "dns" for server in self.container.servers)
