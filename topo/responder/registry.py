"""What is served: containers, their listening sockets, their connections."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from topo import netns
from topo.responder import sockets, words
from topo.responder.connection import Connection
from topo.responder.dns_later import Dns
from topo.responder.logbook import Logbook
from topo.responder.names import Names
from topo.responder.running import Running
from topo.servers import Protocol, ServedContainer, Server

if TYPE_CHECKING:
    from topo.responder.dns_server import Pending

_AT_ONCE = 64
"""Connections or datagrams taken from one socket before the others have their turn."""
_LARGEST_DATAGRAM_BYTES = 65535
_ANCILLARY_BYTES = 64
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_RETRY_S = 1.0
_log = logging.getLogger(__name__)

Address = tuple[str | None, Protocol, int]
Client = Any
"""A socket address of either family."""
Ancillary = list[tuple[int, int, bytes]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`error`: the container could not start. `notices`: it did, but for this."""

    error: str | None = None
    notices: tuple[str, ...] = ()


class Registry:
    """All that this process serves. `on_exit(id, exit_code)` is told when a container ends by itself; `exited` holds
    those that did, until they are served anew or removed. `names` is what its DNS servers know."""

    def __init__(self, on_exit: Callable[[str, int], None], names: Names | None = None) -> None:
        self._on_exit = on_exit
        self._dns = Dns(names or Names())
        self._logbook = Logbook()
        self.exited: dict[str, int] = {}
        self._running: dict[str, Running] = {}
        self._owners: dict[Address, str] = {}
        self._accepting: set[asyncio.Task[object]] = set()

    def serve(self, container: ServedContainer) -> Outcome:
        """Serve it, if that is not so already. Another description of the same id replaces the first."""
        present = self._running.get(container.id)
        if present and present.container == container:
            return Outcome()
        self.remove(container.id)
        listeners: list[tuple[Server, socket.socket]] = []
        notices = []
        try:
            with netns.visit(container.netns):
                for server in container.servers:
                    try:
                        listeners.append((server, self._open(container, server)))
                    except sockets.ProtocolMissing as missing:
                        notices.append(f"port {_port(server)} is not served: {missing}")
        except OSError as error:
            for _, listener in listeners:
                listener.close()
            return Outcome(str(error))
        self._start(container, listeners)
        return Outcome(None, tuple(notices))

    def terminate(self, id: str) -> None:
        """What SIGTERM does: it exits with 0, after its own delay. Idempotent."""
        running = self._running.get(id)
        if running and running.terminating is None:
            delay_s = running.container.delay_shutdown_s
            if running.serves_dns:
                delay_s = max(delay_s, self._dns.names.corefile.lameduck_s)
            running.terminating = asyncio.get_running_loop().call_later(delay_s, running.exit, 0)

    def remove(self, id: str) -> None:
        """Close its sockets and connections. A socket left open would keep the pod's namespace. Idempotent."""
        self.exited.pop(id, None)
        running = self._running.pop(id, None)
        if running is None:
            return
        if running.terminating:
            running.terminating.cancel()
        loop = asyncio.get_running_loop()
        for server, listener in running.listeners:
            loop.remove_reader(listener.fileno())
            listener.close()
            self._owners.pop(_address(running.container, server), None)
        running.closed = True
        running.log.end()
        for transport in tuple(running.transports):
            transport.abort()
        for task in running.pending:
            task.cancel()

    def keep_only(self, ids: set[str]) -> None:
        for id in (self._running.keys() | self.exited.keys()) - ids:
            self.remove(id)

    def clear(self) -> None:
        self.keep_only(set())
        self._logbook.write()

    def _open(self, container: ServedContainer, server: Server) -> socket.socket:
        try:
            return sockets.listening(server.protocol, server.port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            owner = self._owners.get(_address(container, server))
            reason = f"address already in use: port {_port(server)}; {_blame(owner, container.id)}"
            raise OSError(reason) from None

    def _start(self, container: ServedContainer, listeners: list[tuple[Server, socket.socket]]) -> None:
        ready = any(server.protocol != "tcp" for server, _ in listeners)
        log = self._logbook.open(container.log)
        running = Running(container, listeners, partial(self._exit, container.id), ready, self._dns, log)
        self._running[container.id] = running
        if running.serves_dns:
            self._dns.start()
        loop = asyncio.get_running_loop()
        for server, listener in listeners:
            self._owners[_address(container, server)] = container.id
            answer = _answer_datagrams if server.protocol == "udp" else self._accept
            loop.add_reader(listener.fileno(), answer, running, server, listener)
            kind = "HTTP" if server.protocol == "tcp" and server.kind == "netexec" else server.protocol.upper()
            log.say(f"Started {kind} server on port {server.port}")

    def _exit(self, id: str, exit_code: int) -> None:
        if id in self._running:
            self.remove(id)
            self.exited[id] = exit_code
            self._on_exit(id, exit_code)

    def _accept(self, running: Running, server: Server, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(_AT_ONCE):
            try:
                accepted, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _OUT_OF_DESCRIPTORS:
                    raise
                _log.error("cannot accept a connection: %s", error)
                # The socket stays readable: asking again at once would only burn the processor.
                loop.remove_reader(listener.fileno())
                loop.call_later(_RETRY_S, self._accept_again, running, server, listener)
                return
            accepted.setblocking(False)
            factory = partial(Connection, running, server, sockets.shown(address))
            task = loop.create_task(loop.connect_accepted_socket(factory, accepted))
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)

    def _accept_again(self, running: Running, server: Server, listener: socket.socket) -> None:
        if self._running.get(running.container.id) is running:
            asyncio.get_running_loop().add_reader(listener.fileno(), self._accept, running, server, listener)


def _answer_datagrams(running: Running, server: Server, listener: socket.socket) -> None:
    for _ in range(_AT_ONCE):
        try:
            data, ancillary, _, client = listener.recvmsg(_LARGEST_DATAGRAM_BYTES, _ANCILLARY_BYTES)
        except BlockingIOError:
            return
        answer: bytes | Pending | None
        if server.kind == "dns":
            answer = running.dns.respond(data, "udp")
        else:
            answer = words.answer(server.kind, data, running.container.hostname, sockets.shown(client))
        if isinstance(answer, bytes):
            _send(listener, answer, ancillary, client)
        elif answer is not None:
            task = asyncio.get_running_loop().create_task(_complete(running, answer, listener, ancillary, client))
            running.pending.add(task)
            task.add_done_callback(running.pending.discard)


async def _complete(
    running: Running, pending: Pending, listener: socket.socket, ancillary: Ancillary, client: Client
) -> None:
    _send(listener, await running.dns.complete(pending, running.container.netns), ancillary, client)


def _send(listener: socket.socket, answer: bytes, ancillary: Ancillary, client: Client) -> None:
    try:
        listener.sendmsg([answer], sockets.from_destination(ancillary), 0, client)
    except OSError as error:
        # UDP promises nothing: the answer is lost, as it would be on the way.
        _log.info("no answer to %s: %s", sockets.shown(client), error)


def _address(container: ServedContainer, server: Server) -> Address:
    return container.netns, server.protocol, server.port


def _port(server: Server) -> str:
    return f"{server.port}/{server.protocol.upper()}"


def _blame(owner: str | None, id: str) -> str:
    if owner is None:
        return "a process of this pod has it"
    uid, _, container = owner.rpartition("/")
    whose = "this pod" if uid == id.rpartition("/")[0] else f"pod {uid}"
    return f"container {container} of {whose} has it"
