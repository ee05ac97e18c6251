"""Ports of the host that lead to ports of nodes (kind's extraPortMappings).

`mininetes up` opens the sockets, on the host and before anything starts, and PID 1 keeps them, as it keeps the API
server's. This process, a service in the sandbox, takes what comes there and connects to the node's own address from within
the node's network: so the host's network stays untouched, and all ends with the testbed. To a server the client is
the node, as behind Docker's proxy it is Docker's gateway.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cluster.model import Cluster, Node, PortMapping
from cluster.problems import MachineError
from cluster.reading.config import resolve
from cluster.run_directory import RUN_VARIABLE, SEED
from topo import namespaces

Address = tuple[Any, ...]
"""As socket has it: two parts, or four in IPv6."""

_LOG = logging.getLogger("port-mappings")
_TYPES = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}
_BACKLOG = 128
_CHUNK_BYTES = 1 << 16
_UDP_IDLE_S = 60.0
"""How long answers find back to a client that sends nothing (Docker's userland proxy has 90 s)."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset."""


@contextmanager
def opened(cluster: Cluster) -> Iterator[Sequence[socket.socket]]:
    """A socket of the host for each mapping of the cluster. Raises MachineError when a port is not to be had."""
    with ExitStack() as stack:
        yield [stack.enter_context(_open(mapping)) for mapping in cluster.port_mappings]


def _open(mapping: PortMapping) -> socket.socket:
    address, port = mapping.listen_address, mapping.host_port
    listener = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, _TYPES[mapping.protocol])
    if mapping.protocol == "TCP":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if address.version == 6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        listener.bind((str(address), port))
        if mapping.protocol == "TCP":
            listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise MachineError(
            f"port {mapping.container_port} of node {mapping.node} cannot be at {address} {mapping.protocol} port {port} "
            f"of this machine: {error.strerror}; choose hostPort and listenAddress in its extraPortMappings so that it can"
        ) from error
    return listener


def told(mapping: PortMapping, listener: socket.socket) -> str:
    """What leads where."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port} ({mapping.protocol}) leads to port {mapping.container_port} of node {mapping.node}"


def _to_node(mapping: PortMapping, node: Node) -> tuple[socket.socket, Address]:
    """A socket in the node's network, and the node's address and port; the address is of the host socket's family, if
    the node has one. Raises OSError while there is no node yet."""
    version = mapping.listen_address.version
    address = next((each for each in node.addresses if each.version == version), node.addresses[0])
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with namespaces.visit_pinned(node.name):
        made = socket.socket(family, _TYPES[mapping.protocol])
    made.setblocking(False)
    return made, (str(address), mapping.container_port)


async def _serve_tcp(listener: socket.socket, mapping: PortMapping, node: Node) -> None:
    loop = asyncio.get_running_loop()
    connections: set[asyncio.Task[None]] = set()
    while True:
        client, _ = await loop.sock_accept(listener)
        task = loop.create_task(_pass_on(client, mapping, node))
        connections.add(task)
        task.add_done_callback(connections.discard)


async def _pass_on(client: socket.socket, mapping: PortMapping, node: Node) -> None:
    """One connection, both ways, each as long as its sender wants; refused as the node refuses it."""
    with client:
        try:
            server, address = _to_node(mapping, node)
            with server:
                await asyncio.get_running_loop().sock_connect(server, address)
                await _both_ways(client, server)
        except OSError as error:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            _LOG.info("port %d of node %s: %s", mapping.container_port, node.name, error)


async def _both_ways(one: socket.socket, other: socket.socket) -> None:
    """Raises OSError when either side breaks; neither waits for the other then."""
    ways = [asyncio.ensure_future(_copy(one, other)), asyncio.ensure_future(_copy(other, one))]
    try:
        await asyncio.gather(*ways)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.wait(ways)


async def _copy(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, _CHUNK_BYTES):
        await loop.sock_sendall(target, data)
    target.shutdown(socket.SHUT_WR)


async def _serve_udp(listener: socket.socket, mapping: PortMapping, node: Node) -> None:
    """Each client has a socket in the node's network, until neither has said anything for a while."""
    loop = asyncio.get_running_loop()
    ways: dict[Address, _Way] = {}

    def take() -> None:
        try:
            data, client = listener.recvfrom(_CHUNK_BYTES)
            if client not in ways:
                ways[client] = _Way(listener, client, *_to_node(mapping, node), partial(ways.pop, client))
            ways[client].send(data)
        except OSError as error:
            _LOG.info("port %d of node %s: %s", mapping.container_port, node.name, error)

    loop.add_reader(listener, take)
    await loop.create_future()


class _Way:
    """One client's datagrams to the node, and back."""

    def __init__(
        self, listener: socket.socket, client: Address, server: socket.socket, address: Address,
        on_end: Callable[[], object],
    ) -> None:  # fmt: skip
        self._listener, self._client, self._server, self._on_end = listener, client, server, on_end
        self._loop = asyncio.get_running_loop()
        server.connect(address)
        self._loop.add_reader(server, self._answer)
        self._end = self._loop.call_later(_UDP_IDLE_S, self._close)

    def send(self, data: bytes) -> None:
        self._postpone()
        self._server.send(data)

    def _answer(self) -> None:
        self._postpone()
        try:
            self._listener.sendto(self._server.recv(_CHUNK_BYTES), self._client)
        except ConnectionRefusedError:
            return  # nobody is there: UDP has no way to say so from here

    def _postpone(self) -> None:
        self._end.cancel()
        self._end = self._loop.call_later(_UDP_IDLE_S, self._close)

    def _close(self) -> None:
        self._loop.remove_reader(self._server)
        self._server.close()
        self._on_end()


async def _serve(cluster: Cluster, listeners: Sequence[socket.socket]) -> None:
    served: list[Awaitable[None]] = []
    for mapping, listener in zip(cluster.port_mappings, listeners, strict=True):
        listener.setblocking(False)
        serve = _serve_tcp if mapping.protocol == "TCP" else _serve_udp
        served.append(serve(listener, mapping, cluster.node_by_name[mapping.node]))
    await asyncio.gather(*served)


def main() -> None:
    """Run as one of init's services: the arguments are the descriptors of the host's sockets, in the mappings' order."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    cluster = resolve(json.loads((Path(os.environ[RUN_VARIABLE]) / SEED).read_text())["cluster"])
    asyncio.run(_serve(cluster, [socket.socket(fileno=int(word)) for word in sys.argv[1:]]))


if __name__ == "__main__":
    main()
