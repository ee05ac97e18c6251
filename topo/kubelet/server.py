"""Requests on the kubelet's socket: HTTP/1.1, one per connection, and which part of the kubelet answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from cluster.model import Cluster
from cluster.run_directory import API_SOCKET
from topo import rootfs
from topo.kubelet import attach, dial, execute, logs, port_forward, targets
from topo.kubelet.dial import SocketEnd
from topo.kubelet.process import Wanted
from topo.kubelet.targets import NotThere
from topo.kubelet.upgrade import Upgrade
from topo.places import place_of_pod, room_of_container
from topo.sources import ConfigError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """A request's head. `early` is what came right behind it."""

    method: str
    target: str
    headers: Mapping[str, str]
    early: bytes

    @cached_property
    def path(self) -> tuple[str, ...]:
        return tuple(unquote(part) for part in urlsplit(self.target).path.split("/") if part)

    @cached_property
    def pairs(self) -> Sequence[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @cached_property
    def query(self) -> Mapping[str, str]:
        return dict(self.pairs)

    def all(self, name: str) -> list[str]:
        """Every value of a parameter that can be given more than once."""
        return [value for key, value in self.pairs if key == name]

    @property
    def wanted(self) -> Wanted:
        """The streams of an exec or attach, in the kubelet's words or the API's."""

        def said(*names: str) -> bool:
            return any(self.query.get(name, "").lower() in ("1", "true") for name in names)

        return Wanted(said("input", "stdin"), said("output", "stdout"), said("error", "stderr"), said("tty"))


class Server:
    """Answers connections. `run` is the testbed's run directory."""

    def __init__(self, run: Path, cluster: Cluster) -> None:
        self._run, self._cluster = run, cluster
        self._attached: set[str] = set()
        """Logs of containers that somebody has attached to."""
        self.control_plane = next(node for node in cluster.nodes if node.role == "control-plane")

    @property
    def control_plane_namespace(self) -> str:
        return f"{rootfs.NETNS}/{self.control_plane.name}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one request, and whatever its answer becomes."""
        client = SocketEnd(reader, writer)
        protocol = h11.Connection(h11.SERVER)
        try:
            request = await _received(protocol, client)
            if request is not None:
                await self._answer(request, _Exchange(protocol, client))
        except h11.RemoteProtocolError as error:
            await _Exchange(protocol, client).say(error.error_status_hint, f"{error}\n")
        except ConnectionError as error:
            _log.info("a client is gone: %s", error)
        finally:
            client.abandon()

    async def _answer(self, request: Request, exchange: _Exchange) -> None:
        try:
            if request.method == "CONNECT":
                await self._connect(request, exchange)
            elif len(request.path) == 4 and request.path[0] == "containerLogs":
                await self._logs(request, exchange)
            elif len(request.path) in (4, 5) and request.path[0] in ("exec", "attach"):
                await (self._exec if request.path[0] == "exec" else self._attach)(request, exchange)
            elif len(request.path) in (3, 4) and request.path[0] == "portForward":
                await self._port_forward(request, exchange)
            elif request.path == ("healthz",):
                await exchange.say(200, "ok")
            else:
                await exchange.say(404, "404 page not found\n")
        except NotThere as error:
            await exchange.say(error.status, str(error))

    async def _target(self, request: Request) -> targets.Target:
        # The pod's uid may stand before the container.
        _, namespace, name, *_, container = request.path
        return targets.container_of(await self._pod(namespace, name), container)

    async def _pod(self, namespace: str, name: str) -> targets.Pod:
        return await targets.find_pod(self._run / API_SOCKET, namespace, name)

    async def _logs(self, request: Request, exchange: _Exchange) -> None:
        try:
            wanted = logs.options(request.query, time.time())
        except ValueError as error:
            raise NotThere(400, str(error)) from error
        file = targets.log_of(self._run, await self._target(request), wanted.previous)
        with _open(file) as log:
            await exchange.stream(logs.read(log, wanted))

    async def _exec(self, request: Request, exchange: _Exchange) -> None:
        target = await self._target(request)
        command = request.all("command")
        if not command:
            raise NotThere(400, "you must specify at least 1 command for exec")
        if not target.running:
            raise NotThere(404, f'container not found ("{target.name}")')
        try:
            room = room_of_container(target.pod, target.container, self._cluster, await targets.sources(self._run))
        except ConfigError as error:
            raise NotThere(500, str(error)) from error
        wanted = request.wanted
        with contextlib.ExitStack() as stack:
            log = None
            with contextlib.suppress(NotThere):  # it has only just started, and has not written anything
                log = stack.enter_context(_open(targets.log_of(self._run, target)))
            async with Upgrade(request.headers, request.early, wanted).connection(exchange) as connection:
                await execute.run(connection, room, command, wanted, log)

    async def _attach(self, request: Request, exchange: _Exchange) -> None:
        target = await self._target(request)
        if not target.running:
            raise NotThere(404, f'container not found ("{target.name}")')
        file = targets.log_of(self._run, target)
        id = f"{target.uid}/{target.name}/{Path(file).stem.rpartition('-')[2]}"
        wanted = request.wanted
        with _open(file) as log:
            async with (
                attach.input_of(self._run, id) as input,
                Upgrade(request.headers, request.early, wanted).connection(exchange) as connection,
            ):
                await attach.run(connection, log, input, self._is_new(target, file))

    def _is_new(self, target: targets.Target, file: str) -> bool:
        """Whether this is the first to talk with a container that is there to be talked with: its greeting, which a
        real cluster's pod is too slow to give before, is meant for it (`kubectl run -it`)."""
        new = bool(target.container.get("stdin")) and file not in self._attached
        self._attached.add(file)
        return new

    async def _port_forward(self, request: Request, exchange: _Exchange) -> None:
        pod = await self._pod(request.path[1], request.path[2])
        if (pod.get("status") or {}).get("phase") != "Running":
            raise NotThere(404, f'pod "{request.path[2]}" is not running')
        try:
            words = [word for value in request.all("port") + request.all("ports") for word in value.split(",")]
            ports = [int(word) for word in words]
        except ValueError as error:
            raise NotThere(400, f"ports must be numbers: {error}") from error
        namespace = f"{rootfs.NETNS}/{place_of_pod(pod).netns}"
        name = f"{request.path[2]}, uid : {pod['metadata']['uid']}"
        async with Upgrade(request.headers, request.early, None, ports).connection(exchange) as connection:
            await port_forward.run(connection, namespace, name)

    async def _connect(self, request: Request, exchange: _Exchange) -> None:
        host, _, port = request.target.rpartition(":")
        try:
            connected = await dial.connect(self.control_plane_namespace, (host.strip("[]"),), int(port))
        except ValueError:
            raise NotThere(400, f"not an address and a port: {request.target}") from None
        except dial.Refused as error:
            raise NotThere(502, str(error)) from error
        server = await SocketEnd.of(connected)
        try:
            client = await exchange.switch(200, {})
            if request.early:
                await server.write(request.early)
            await dial.relay(client, server)
        finally:
            server.abandon()


class _Exchange:
    """The answer to one request."""

    def __init__(self, protocol: h11.Connection, client: SocketEnd) -> None:
        self._protocol, self._client = protocol, client

    async def say(self, status: int, text: str) -> None:
        """A whole answer."""
        body = text.encode()
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        await self._send(h11.Response(status_code=status, headers=[*headers, ("Connection", "close")]))
        await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())

    async def stream(self, pieces: AsyncIterator[bytes]) -> None:
        """An answer whose length nobody knows; it ends early when the client leaves."""
        headers = [("Content-Type", "text/plain"), ("Transfer-Encoding", "chunked"), ("Connection", "close")]
        await self._send(h11.Response(status_code=200, headers=headers))
        sending = asyncio.create_task(self._send_all(pieces))
        # Whoever asked for a log says nothing more; what comes is the end of the connection.
        leaving = asyncio.create_task(self._client.read())
        await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
        for task in (sending, leaving):
            task.cancel()
        for result in await asyncio.gather(sending, leaving, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def switch(self, status: int, headers: Mapping[str, str]) -> SocketEnd:
        """No HTTP any more: what comes and goes now belongs to the caller."""
        if status == 101:
            await self._send(h11.InformationalResponse(status_code=status, headers=list(headers.items())))
        else:
            await self._send(h11.Response(status_code=status, headers=list(headers.items())))
        return self._client

    async def _send_all(self, pieces: AsyncIterator[bytes]) -> None:
        async for piece in pieces:
            await self._send(h11.Data(data=piece))
        await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Event) -> None:
        await self._client.write(self._protocol.send(event) or b"")


async def _received(protocol: h11.Connection, client: SocketEnd) -> Request | None:
    """None where the client leaves without a word. Raises RemoteProtocolError."""
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(await client.read())
        elif isinstance(event, h11.Request):
            break
        else:
            return None
    while protocol.next_event() not in (h11.PAUSED, h11.NEED_DATA):
        # The body of a request, of which nothing is expected here.
        pass
    headers: dict[str, str] = {}
    for name, value in event.headers:
        # A header that is given more than once is a list (RFC 9110, section 5.2).
        before = headers.get(name.decode())
        headers[name.decode()] = value.decode() if before is None else f"{before}, {value.decode()}"
    return Request(event.method.decode(), event.target.decode(), headers, protocol.trailing_data[0])


@contextlib.contextmanager
def _open(file: str) -> Iterator[int]:
    """Raises NotThere where it has gone."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotThere(404, "the container is gone") from error
    try:
        yield fd
    finally:
        os.close(fd)
