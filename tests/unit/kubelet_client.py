"""A client of the kubelet, blocking: what kubectl (SPDY) and the official libraries (WebSocket) do, for tests."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h11
from wsproto.connection import Connection as Protocol
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Message, Ping

from topo.kubelet.spdy import Data, Framing, GoAway, RstStream, SynReply, SynStream

TIMEOUT_S = 20.0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Refused(Exception):
    """The kubelet answered something else than the switch that was asked for."""

    def __init__(self, status: int, body: str) -> None:
        self.status, self.body = status, body
        super().__init__(f"{status}: {body}")


@dataclass
class Ended:
    """What came out of an exec or attach."""

    stdout: bytes = b""
    stderr: bytes = b""
    error: bytes = b""

    @property
    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.error)
        return told

    @property
    def exit_code(self) -> int:
        if self.status["status"] == "Success":
            return 0
        causes = self.status["details"]["causes"]
        return next(int(cause["message"]) for cause in causes if cause["reason"] == "ExitCode")


class Kubelet:
    """At a Unix socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def connect(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(TIMEOUT_S)
        made.connect(str(self._path))
        return made

    def get(self, target: str) -> tuple[int, bytes]:
        """Status and body of a whole answer."""
        with self.connect() as connection:
            protocol = h11.Connection(h11.CLIENT)
            send_request(connection, protocol, "GET", target, {})
            return read_answer(connection, protocol)

    def pieces(self, target: str) -> Iterator[bytes]:
        """The body of an answer, as it comes."""
        with self.connect() as connection:
            protocol = h11.Connection(h11.CLIENT)
            send_request(connection, protocol, "GET", target, {})
            while not isinstance(event := next_event(connection, protocol), h11.EndOfMessage):
                if isinstance(event, h11.Data):
                    yield bytes(event.data)

    def switch(self, method: str, target: str, headers: Mapping[str, str]) -> tuple[socket.socket, bytes]:
        """The connection, and what came right behind the answer. Raises Refused."""
        connection = self.connect()
        protocol = h11.Connection(h11.CLIENT)
        send_request(connection, protocol, method, target, headers)
        event = next_event(connection, protocol)
        if event.status_code not in (101, 200):
            body = bytearray()
            while isinstance(piece := next_event(connection, protocol), h11.Data):
                body += piece.data
            connection.close()
            raise Refused(event.status_code, body.decode())
        return connection, protocol.trailing_data[0]

    def spdy(self, target: str) -> Spdy:
        protocol = "portforward.k8s.io" if "/portForward/" in target else "v4.channel.k8s.io"
        headers = {"Upgrade": "SPDY/3.1", "Connection": "Upgrade", "X-Stream-Protocol-Version": protocol}
        return Spdy(*self.switch("POST", target, headers))

    def websocket(self, target: str, protocol: str = "v5.channel.k8s.io") -> WebSocket:
        headers = {
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY,
            "Sec-WebSocket-Protocol": protocol,
        }  # fmt: skip
        return WebSocket(*self.switch("GET", target, headers))


class Spdy:
    """A SPDY connection, from the client's side."""

    def __init__(self, connection: socket.socket, early: bytes = b"") -> None:
        self.connection, self._early = connection, early
        self._framing = Framing()
        self._numbers = iter(range(1, 1 << 20, 2))
        self.received: dict[int, bytearray] = {}
        self.ended: set[int] = set()
        self.gone = False

    def open(self, **headers: str) -> int:
        number = next(self._numbers)
        self.received[number] = bytearray()
        self.connection.sendall(self._framing.encode(SynStream(number, headers)))
        return number

    def send(self, stream: int, data: bytes, fin: bool = False) -> None:
        self.connection.sendall(self._framing.encode(Data(stream, data, fin)))

    def take(self) -> bool:
        """What comes next; False at the connection's end."""
        data, self._early = self._early or self.connection.recv(1 << 16), b""
        for frame in self._framing.feed(data):
            if isinstance(frame, Data):
                self.received[frame.stream_id] += frame.data
            if isinstance(frame, RstStream) or (isinstance(frame, Data | SynReply) and frame.fin):
                self.ended.add(frame.stream_id)
            self.gone |= isinstance(frame, GoAway)
        return bool(data)

    def until(self, stream: int, wanted: bytes) -> bytes:
        """What came on a stream, once `wanted` is in it."""
        while wanted not in self.received[stream] and self.take():
            pass
        return bytes(self.received[stream])

    def until_end(self, stream: int) -> bytes:
        while stream not in self.ended and self.take():
            pass
        return bytes(self.received[stream])

    def run(self, stdin: bytes | None = None, stdout: bool = True, stderr: bool = True) -> Ended:
        """An exec from its first stream to its end."""
        error = self.open(streamtype="error")
        streams = {name: self.open(streamtype=name) for name, on in (("stdout", stdout), ("stderr", stderr)) if on}
        if stdin is not None:
            number = self.open(streamtype="stdin")
            self.send(number, stdin)
            self.send(number, b"", fin=True)
        outputs = {name: self.until_end(number) for name, number in streams.items()}
        with self.connection:
            return Ended(**outputs, error=self.until_end(error))


@dataclass
class WebSocket:
    """A WebSocket connection, from the client's side."""

    connection: socket.socket
    early: bytes = b""
    received: dict[int, bytearray] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._protocol = Protocol(ConnectionType.CLIENT, trailing_data=self.early)
        self._message = bytearray()

    def send(self, channel: int, data: bytes) -> None:
        self.send_raw(bytes([channel]) + data)

    def send_raw(self, message: bytes) -> None:
        self.connection.sendall(self._protocol.send(BytesMessage(data=message)))

    def take(self) -> bool:
        """What comes next; False at the connection's end."""
        some = False
        for event in self._protocol.events():
            some = True
            if isinstance(event, Ping | CloseConnection):
                self.connection.sendall(self._protocol.send(event.response()))
            if isinstance(event, CloseConnection):
                return False
            if isinstance(event, Message):
                self._message += event.data  # type: ignore[operator]
                if event.message_finished:
                    self._on_message(bytes(self._message))
                    self._message.clear()
        if some:
            return True
        data = self.connection.recv(1 << 16)
        if data:
            self._protocol.receive_data(data)
        return bool(data)

    def _on_message(self, message: bytes) -> None:
        if message[0] == 255:
            self.ended.add(message[1])
        else:
            self.received.setdefault(message[0], bytearray()).extend(message[1:])

    def until(self, channel: int, wanted: bytes) -> bytes:
        while wanted not in self.received.get(channel, b"") and self.take():
            pass
        return bytes(self.received.get(channel, b""))

    def run(self, stdin: bytes | None = None) -> Ended:
        """An exec to its end."""
        if stdin is not None:
            self.send(0, stdin)
            self.send_raw(bytes([255, 0]))
        while self.take():
            pass
        self.connection.close()
        return Ended(*(bytes(self.received.get(channel, b"")) for channel in (1, 2, 3)))


def send_request(
    connection: socket.socket, protocol: h11.Connection, method: str, target: str, headers: Mapping[str, str]
) -> None:
    every = [("Host", "localhost"), *headers.items()]
    head = protocol.send(h11.Request(method=method, target=target, headers=every)) or b""
    connection.sendall(head + (protocol.send(h11.EndOfMessage()) or b""))


def next_event(connection: socket.socket, protocol: h11.Connection) -> Any:
    while (event := protocol.next_event()) is h11.NEED_DATA:
        protocol.receive_data(connection.recv(1 << 16))
    return event


def read_answer(connection: socket.socket, protocol: h11.Connection) -> tuple[int, bytes]:
    status, body = 0, bytearray()
    while not isinstance(event := next_event(connection, protocol), h11.EndOfMessage):
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
    return status, bytes(body)
