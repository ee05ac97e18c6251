"""Port 6443 of the control-plane node: what connects there is passed on to the API server.

The kubelet listens, not the API server, so that pods reach it in the node's own network, and a restarted API server
is simply there again.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from pathlib import Path

from topo import netns
from topo.kubelet.dial import SocketEnd, patiently, relay
from topo.responder import sockets

PORT = 6443
_API_TIMEOUT_S = 10.0
_PAUSE_S = 0.05
_NO_NAMESPACE = (errno.ENOENT, errno.EINVAL)
"""Not there yet, or a file in whose place it is about to be."""
_log = logging.getLogger(__name__)


async def listen(namespace: str, api: Path) -> asyncio.Server:
    """Once the node's namespace (a path) is there, which the agent makes."""
    while True:
        try:
            with netns.visit(namespace):
                listener = sockets.listening("tcp", PORT)
            break
        except OSError as error:
            if error.errno not in _NO_NAMESPACE:
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

    return await asyncio.start_server(pass_on, sock=listener)


async def _server(api: Path) -> SocketEnd:
    return SocketEnd(*await asyncio.open_unix_connection(str(api)))
