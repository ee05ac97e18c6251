"""Streams carried by SPDY/3.1, as `kubectl` opens them.

For exec and attach the client opens one stream each, whose header `streamtype` says which; for port-forward a pair
(`error`, `data`) with the headers `port` and `requestid` per connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Protocol

from topo.kubelet import spdy
from topo.kubelet.process import Wanted
from topo.kubelet.remote import Forward, Inbox, Streams
from topo.kubelet.spdy import Data, Framing, GoAway, Headers, Ping, RstStream, SpdyError, SynReply, SynStream

_log = logging.getLogger(__name__)
EXEC_PROTOCOLS = ("v4.channel.k8s.io",)
PORT_FORWARD_PROTOCOLS = ("portforward.k8s.io",)
CREATION_TIMEOUT_S = 30.0
"""How long a client may take to open the streams it announced, as the kubelet's."""
_PIECE_BYTES = 1 << 15


class Wire(Protocol):
    """The bytes of a connection."""

    async def read(self) -> bytes:
        """Empty at the end. Raises ConnectionError."""

    async def write(self, data: bytes) -> None:
        """Raises ConnectionError."""

    async def close(self) -> None: ...


class SpdyStream:
    """One stream, opened by the client."""

    def __init__(self, connection: SpdyConnection, stream_id: int, headers: Headers) -> None:
        self._connection, self._id, self.headers = connection, stream_id, headers
        self.inbox = Inbox()
        self._closed = False

    async def read(self) -> bytes:
        return await self.inbox.get()

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE_BYTES):
            if not self._closed:
                await self._connection.send(Data(self._id, data[start : start + _PIECE_BYTES]))

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._connection.send(Data(self._id, b"", fin=True))

    def reset(self) -> None:
        """The client gave it up."""
        self._closed = True
        self.inbox.drop()


class SpdyConnection:
    """The server's side. `run` must be going on for the rest to work."""

    def __init__(self, wire: Wire, wanted: Wanted | None) -> None:
        """`wanted`: the streams of an exec or attach; None for a port-forward."""
        self._wire, self._wanted = wire, wanted
        self._framing = Framing()
        self._streams: dict[int, SpdyStream] = {}
        self._opened: asyncio.Queue[SpdyStream | None] = asyncio.Queue()
        self.lost = asyncio.Event()

    async def run(self) -> None:
        """Take what comes until the connection ends."""
        try:
            while data := await self._wire.read():
                for frame in self._framing.feed(data):
                    await self._take(frame)
        except SpdyError as error:
            _log.info("a SPDY client is let go: %s", error)
            await self.send(GoAway(0))
        except ConnectionError as error:
            _log.info("a SPDY client is gone: %s", error)
        finally:
            self.lost.set()
            self._opened.put_nowait(None)
            for stream in self._streams.values():
                stream.inbox.end()

    async def send(self, frame: spdy.Frame) -> None:
        """In silence where the client is gone: `lost` says so."""
        if not self.lost.is_set():
            with contextlib.suppress(ConnectionError):
                await self._wire.write(self._framing.encode(frame))

    async def close(self) -> None:
        for stream in self._streams.values():
            stream.inbox.drop()
        await self.send(GoAway(max(self._streams, default=0)))
        await self._wire.close()

    async def streams(self) -> Streams:
        assert self._wanted is not None
        wanted = self._wanted
        names = {"error"} | {name for name in ("stdin", "stdout", "stderr") if getattr(wanted, name)}
        if wanted.tty:
            names = (names | {"resize"}) - {"stderr"}
        found: dict[str, SpdyStream] = {}
        while names - found.keys():
            try:
                stream = await asyncio.wait_for(self._opened.get(), CREATION_TIMEOUT_S)
            except asyncio.TimeoutError:
                raise ConnectionError("the client does not open its streams") from None
            if stream is None:
                raise ConnectionError("the client left before its streams were there")
            found[stream.headers.get("streamtype", "")] = stream
        stdin, stdout, stderr, resize = (found.get(name) for name in ("stdin", "stdout", "stderr", "resize"))
        return Streams(stdin, stdout, stderr, found["error"], resize)

    async def forwards(self) -> AsyncIterator[Forward]:
        halves: dict[str, SpdyStream] = {}
        while (stream := await self._opened.get()) is not None:
            request = stream.headers.get("requestid", "")
            other = halves.pop(request, None)
            if other is None:
                halves[request] = stream
                continue
            data, error = (stream, other) if stream.headers.get("streamtype") == "data" else (other, stream)
            yield Forward(int(data.headers["port"]), data, error)

    async def _take(self, frame: spdy.Frame) -> None:
        if isinstance(frame, SynStream):
            await self._open(frame)
        elif isinstance(frame, Ping):
            # The client's have odd numbers (section 2.6.5).
            if frame.id % 2:
                await self.send(frame)
        elif isinstance(frame, Data):
            await self._receive(frame)
        elif isinstance(frame, RstStream) and (stream := self._streams.pop(frame.stream_id, None)) is not None:
            stream.reset()

    async def _open(self, frame: SynStream) -> None:
        port = frame.headers.get("port", "0")
        if frame.stream_id in self._streams or not frame.stream_id % 2:
            raise SpdyError(f"stream {frame.stream_id} cannot be opened")
        if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
            await self.send(RstStream(frame.stream_id, spdy.REFUSED_STREAM))
            return
        stream = self._streams[frame.stream_id] = SpdyStream(self, frame.stream_id, frame.headers)
        if frame.fin:
            stream.inbox.end()
        await self.send(SynReply(frame.stream_id, {}))
        self._opened.put_nowait(stream)

    async def _receive(self, frame: Data) -> None:
        stream = self._streams.get(frame.stream_id)
        if stream is None:
            await self.send(RstStream(frame.stream_id, spdy.INVALID_STREAM))
            return
        await stream.inbox.put(frame.data)
        if frame.fin:
            stream.inbox.end()
