"""SPDY/3.1 frames: bytes to frames and back. No I/O.

Kubernetes' older clients open the streams of exec, attach and port-forward inside one SPDY connection. This is the
framing layer of draft-mbelshe-httpbis-spdy-00 (SPDY/3), which is all that 3.1 keeps for them: its flow control is
not used by Kubernetes' library on either side, so windows are neither counted nor updated here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

VERSION = 3
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _HEADERS, _WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
_CONTROL_BIT = 0x80000000
_STREAM_ID_BITS = 0x7FFFFFFF
_FLAG_FIN = 0x01
_HEAD_BYTES = 8
_LARGEST_HEADER_BLOCK_BYTES = 1 << 20

PROTOCOL_ERROR, INVALID_STREAM, REFUSED_STREAM, CANCEL = 1, 2, 3, 5
"""Of RST_STREAM (section 2.6.3)."""

_WORDS = (
    "options|head|post|put|delete|trace|accept|accept-charset|accept-encoding|accept-language|accept-ranges|age|allow|"
    "authorization|cache-control|connection|content-base|content-encoding|content-language|content-length|"
    "content-location|content-md5|content-range|content-type|date|etag|expect|expires|from|host|if-match|"
    "if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|location|max-forwards|pragma|"
    "proxy-authenticate|proxy-authorization|range|referer|retry-after|server|te|trailer|transfer-encoding|upgrade|"
    "user-agent|vary|via|warning|www-authenticate|method|get|status|200 OK|version|HTTP/1.1|url|public|set-cookie|"
    "keep-alive|origin"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
def _prefixed(text: bytes) -> bytes:
    return struct.pack("!I", len(text)) + text


def _dictionary(words: str, tail: str) -> bytes:
    return b"".join(_prefixed(word.encode()) for word in words.split("|")) + tail.encode()


DICTIONARY = _dictionary(_WORDS, _TAIL)
"""What both sides' compression of headers starts from (section 2.6.10.1)."""

Headers = Mapping[str, str]


class SpdyError(Exception):
    """The peer breaks the protocol."""


@dataclass(frozen=True, slots=True)
class SynStream:
    """Opens a stream. With `fin`, nothing more will come from its opener."""

    stream_id: int
    headers: Headers
    fin: bool = False


@dataclass(frozen=True, slots=True)
class SynReply:
    """Accepts a stream."""

    stream_id: int
    headers: Headers
    fin: bool = False


@dataclass(frozen=True, slots=True)
class MoreHeaders:
    """HEADERS: more of them, in the course of a stream."""

    stream_id: int
    headers: Headers
    fin: bool = False


@dataclass(frozen=True, slots=True)
class RstStream:
    """Ends a stream in both directions, at once."""

    stream_id: int
    status: int


@dataclass(frozen=True, slots=True)
class Ping:
    """To be sent back as it is, by whoever did not send it first."""

    id: int


@dataclass(frozen=True, slots=True)
class GoAway:
    """No more streams will be accepted than up to this one."""

    last_stream_id: int


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream. With `fin`, nothing more will come from this side."""

    stream_id: int
    data: bytes
    fin: bool = False


Frame = SynStream | SynReply | MoreHeaders | RstStream | Ping | GoAway | Data


class Framing:
    """One side of a connection: what it sends and what it receives have each their own compression."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._compressor = zlib.compressobj(zdict=DICTIONARY)
        self._decompressor = zlib.decompressobj(zdict=DICTIONARY)

    def encode(self, frame: Frame) -> bytes:
        """The bytes of a frame; they must be sent in the order of the calls."""
        if isinstance(frame, Data):
            return _head(frame.stream_id, _fin(frame), len(frame.data)) + frame.data
        if isinstance(frame, SynStream):
            # Associated stream, priority and credential slot: none.
            body = struct.pack("!IIBB", frame.stream_id, 0, 0, 0) + self._deflated(frame.headers)
            return _control(_SYN_STREAM, _fin(frame), body)
        if isinstance(frame, SynReply):
            return _control(_SYN_REPLY, _fin(frame), struct.pack("!I", frame.stream_id) + self._deflated(frame.headers))
        if isinstance(frame, MoreHeaders):
            return _control(_HEADERS, _fin(frame), struct.pack("!I", frame.stream_id) + self._deflated(frame.headers))
        if isinstance(frame, RstStream):
            return _control(_RST_STREAM, 0, struct.pack("!II", frame.stream_id, frame.status))
        if isinstance(frame, Ping):
            return _control(_PING, 0, struct.pack("!I", frame.id))
        return _control(_GOAWAY, 0, struct.pack("!II", frame.last_stream_id, 0))

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that these bytes complete. Raises SpdyError; the connection is of no use after that."""
        received = self._received
        received += data
        while len(received) >= _HEAD_BYTES:
            first, second = struct.unpack_from("!II", received)
            end = _HEAD_BYTES + (second & 0xFFFFFF)
            if len(received) < end:
                return
            body = bytes(received[_HEAD_BYTES:end])
            del received[:end]
            frame = self._decoded(first, second >> 24, body)
            if frame is not None:
                yield frame

    def _decoded(self, first: int, flags: int, body: bytes) -> Frame | None:
        """None for a frame that means nothing here: settings, flow control, and what a later version may add."""
        fin = bool(flags & _FLAG_FIN)
        if not first & _CONTROL_BIT:
            return Data(first, body, fin)
        version, kind = (first >> 16) & 0x7FFF, first & 0xFFFF
        if version != VERSION:
            raise SpdyError(f"SPDY version {version}; this is version {VERSION}")
        try:
            if kind == _SYN_STREAM:
                stream_id = struct.unpack_from("!IIBB", body)[0]
                return SynStream(stream_id & _STREAM_ID_BITS, self._inflated(body[10:]), fin)
            if kind in (_SYN_REPLY, _HEADERS):
                stream_id = struct.unpack_from("!I", body)[0] & _STREAM_ID_BITS
                made = SynReply if kind == _SYN_REPLY else MoreHeaders
                return made(stream_id, self._inflated(body[4:]), fin)
            if kind == _RST_STREAM:
                stream_id, status = struct.unpack("!II", body)
                return RstStream(stream_id & _STREAM_ID_BITS, status)
            if kind == _PING:
                return Ping(struct.unpack("!I", body)[0])
            if kind == _GOAWAY:
                return GoAway(struct.unpack_from("!I", body)[0] & _STREAM_ID_BITS)
        except (struct.error, zlib.error, UnicodeDecodeError) as error:
            raise SpdyError(f"a control frame of type {kind} is malformed: {error}") from error
        return None

    def _deflated(self, headers: Headers) -> bytes:
        """A name/value header block: names in lower case (section 2.6.10)."""
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        block = struct.pack("!I", len(pairs)) + b"".join(_prefixed(name) + _prefixed(value) for name, value in pairs)
        return self._compressor.compress(block) + self._compressor.flush(zlib.Z_SYNC_FLUSH)

    def _inflated(self, block: bytes) -> Headers:
        plain = self._decompressor.decompress(block, _LARGEST_HEADER_BLOCK_BYTES)
        if self._decompressor.unconsumed_tail:
            raise SpdyError("a header block is too large")
        (count,) = struct.unpack_from("!I", plain)
        headers: dict[str, str] = {}
        at = 4
        for _ in range(count):
            name, at = _taken(plain, at)
            value, at = _taken(plain, at)
            headers[name] = value
        return headers


def _fin(frame: SynStream | SynReply | MoreHeaders | Data) -> int:
    return _FLAG_FIN if frame.fin else 0


def _head(first: int, flags: int, length: int) -> bytes:
    return struct.pack("!II", first, flags << 24 | length)


def _control(kind: int, flags: int, body: bytes) -> bytes:
    return _head(_CONTROL_BIT | VERSION << 16 | kind, flags, len(body)) + body


def _taken(plain: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("!I", plain, at)
    end = at + 4 + length
    if end > len(plain):
        raise SpdyError("a header block ends in the middle")
    return plain[at + 4 : end].decode(), end
