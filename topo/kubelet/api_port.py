"""Port 6443 of the control-plane node: what connects there is passed on to the API server.

The kubelet listens, not the API server, so that pods reach it in the node's own network, and a restarted API server
is simply there again.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from cluster.model import IPAddress
from topo import netns
from topo.kubelet.dial import SocketEnd, patiently, relay

PORT = 6443
_API_TIMEOUT_S = 10.0
_PAUSE_S = 0.05
_NOT_YET = (errno.ENOENT, errno.EINVAL, errno.EADDRNOTAVAIL)
"""No namespace yet, a file in whose place it is about to be, or no address in it."""
_LOCALHOST: Mapping[int, IPAddress] = {4: IPv4Address("127.0.0.1"), 6: IPv6Address("::1")}
_log = logging.getLogger(__name__)


async def listen(namespace: str, addresses: Collection[IPAddress], api: Path) -> list[asyncio.Server]:
    """Once the node's namespace (a path) and its addresses are there, which the agent makes.

    On these and on localhost, not on every address: a node is its pods' gateway, too, and who is outside and has a route
    to the pods' range must not find anything there.
    """
    hosts = [*addresses, *(_LOCALHOST[address.version] for address in addresses)]
    while True:
        try:
            with netns.visit(namespace):
                listeners = _listening(hosts)
            break
        except OSError as error:
            if error.errno not in _NOT_YET:
                raise
            await asyncio.sleep(_PAUSE_S)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = SocketEnd(reader, writer)
        try:
            server = await patiently(lambda: _server(api), _API_TIMEOUT_S, _PAUSE_S)
            await relay(client, server)
            server.abandon()
        except OSError as error:
            _log.warning("no API server at %s: %s", api, error)
        finally:
            client.abandon()

    return [await asyncio.start_server(pass_on, sock=listener) for listener in listeners]


def _listening(hosts: Iterable[IPAddress]) -> list[socket.socket]:
    """All or none. Raises OSError."""
    with ExitStack() as stack:
        made = []
        for host in hosts:
            family = socket.AF_INET6 if host.version == 6 else socket.AF_INET
            made.append(stack.enter_context(socket.create_server((str(host), PORT), family=family)))
        stack.pop_all()
    return made


async def _server(api: Path) -> SocketEnd:
    return SocketEnd(*await asyncio.open_unix_connection(str(api)))
