"""Streams carried by WebSocket: the first byte of each message says to which channel the rest belongs.

exec and attach: stdin 0, stdout 1, stderr 2, error 3, resize 4; in version 5 a message [255, N] ends channel N.
port-forward: two channels for each port of the query, data and error, the first message on each being the port's
number in two bytes (Kubernetes' `v4.channel.k8s.io`, also called `portforward.k8s.io`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
from collections.abc import AsyncIterator, Sequence

from wsproto.connection import Connection as Protocol
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Message, Ping, Pong
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from topo.kubelet.process import Wanted
from topo.kubelet.remote import Forward, Inbox, Streams
from topo.kubelet.spdy_streams import Wire

_log = logging.getLogger(__name__)
V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"
EXEC_PROTOCOLS = (V5, V4)
SPDY_PROTOCOL = "SPDY/3.1+portforward.k8s.io"
"""The bytes of a SPDY connection as messages: how new versions of kubectl forward ports."""
PORT_FORWARD_PROTOCOLS = (SPDY_PROTOCOL, V4, "portforward.k8s.io")
_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255


class Socket:
    """Messages of a WebSocket connection."""

    def __init__(self, wire: Wire, early: bytes) -> None:
        """`early`: what came right behind the request."""
        self._wire = wire
        self._protocol = Protocol(ConnectionType.SERVER, trailing_data=early)
        self._closed = False

    async def messages(self) -> AsyncIterator[bytes]:
        """Until the client closes the connection, or breaks it."""
        whole = bytearray()
        try:
            while True:
                for event in self._protocol.events():
                    if isinstance(event, Message):
                        data = event.data
                        whole += data.encode() if isinstance(data, str) else data
                        if event.message_finished:
                            yield bytes(whole)
                            whole.clear()
                    elif isinstance(event, CloseConnection):
                        await self._send(event.response())
                        return
                    elif isinstance(event, Ping):
                        await self._send(event.response())
                data = await self._wire.read()
                if not data:
                    return
                self._protocol.receive_data(data)
        except (RemoteProtocolError, LocalProtocolError, ConnectionError) as error:
            _log.info("a WebSocket client is gone: %s", error)
        finally:
            self._closed = True

    async def send(self, data: bytes) -> None:
        """In silence where the client is gone."""
        await self._send(BytesMessage(data=data))

    async def close(self) -> None:
        await self._send(CloseConnection(code=CloseReason.NORMAL_CLOSURE))
        await self._wire.close()

    async def _send(self, event: BytesMessage | CloseConnection | Ping | Pong | Event) -> None:
        if not self._closed:
            with contextlib.suppress(ConnectionError, LocalProtocolError):
                await self._wire.write(self._protocol.send(event))


class Channel:
    """One of the streams."""

    def __init__(self, connection: WebSocketConnection, number: int) -> None:
        self._connection, self._number = connection, number
        self.inbox = Inbox()

    async def read(self) -> bytes:
        return await self.inbox.get()

    async def write(self, data: bytes) -> None:
        await self._connection.send(self._number, data)

    async def close(self) -> None:
        await self._connection.end(self._number)


class WebSocketConnection:
    """The server's side. `run` must be going on for the rest to work."""

    def __init__(self, socket: Socket, protocol: str, wanted: Wanted | None, ports: Sequence[int] = ()) -> None:
        self._socket, self._protocol, self._wanted, self._ports = socket, protocol, wanted, ports
        count = 2 * len(ports) if wanted is None else _RESIZE + 1
        self._channels = [Channel(self, number) for number in range(count)]
        self.lost = asyncio.Event()

    async def run(self) -> None:
        """Take what comes until the connection ends."""
        async for message in self._socket.messages():
            if len(message) == 2 and message[0] == _CLOSE and self._protocol == V5:
                self._end_inbox(message[1])
            elif message and message[0] < len(self._channels):
                await self._channels[message[0]].inbox.put(message[1:])
        self.lost.set()
        for channel in self._channels:
            channel.inbox.end()

    def _end_inbox(self, number: int) -> None:
        if number < len(self._channels):
            self._channels[number].inbox.end()

    async def send(self, channel: int, data: bytes) -> None:
        await self._socket.send(bytes([channel]) + data)

    async def end(self, channel: int) -> None:
        """Only a client can say that a channel has ended (version 5); a server's are over with the connection."""

    async def close(self) -> None:
        for channel in self._channels:
            channel.inbox.drop()
        await self._socket.close()

    async def streams(self) -> Streams:
        assert self._wanted is not None
        wanted = self._wanted
        stdin, stdout, stderr, error, resize = self._channels
        for channel, taken in ((stdin, wanted.stdin), (resize, wanted.tty)):
            if not taken:
                channel.inbox.drop()
        # An empty message tells the client that it is connected.
        await (stdout if wanted.stdout else stderr if wanted.stderr else error).write(b"")
        return Streams(
            stdin if wanted.stdin else None,
            stdout if wanted.stdout else None,
            stderr if wanted.stderr and not wanted.tty else None,
            error,
            resize if wanted.tty else None,
        )

    async def forwards(self) -> AsyncIterator[Forward]:
        for index, port in enumerate(self._ports):
            data, error = self._channels[2 * index], self._channels[2 * index + 1]
            for channel in (data, error):
                await channel.write(struct.pack("<H", port))
            yield Forward(port, data, error)


class SocketWire:
    """The messages of a WebSocket as a stream of bytes."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._messages = socket.messages()

    async def read(self) -> bytes:
        while (message := await anext(self._messages, None)) is not None:
            if message:  # an empty one is not the end
                return message
        return b""

    async def write(self, data: bytes) -> None:
        await self._socket.send(data)

    async def close(self) -> None:
        await self._socket.close()
