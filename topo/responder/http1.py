"""HTTP/1.1 for a server (RFC 9112): bytes to requests, responses to bytes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT")

_LONGEST_HEAD_BYTES = 64 << 10
_LONGEST_BODY_BYTES = 8 << 20
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_FORM = "application/x-www-form-urlencoded"


class BadRequest(Exception):
    """What was received is no HTTP request. `status` is what to answer before closing."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `headers` by lower-case name, repeated ones joined by ", "."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    keep_alive: bool = True

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path) or "/"

    @property
    def query(self) -> Mapping[str, str]:
        """The first value of each parameter of the URL."""
        return dict(reversed(parse_qsl(urlsplit(self.target).query, keep_blank_values=True)))

    @property
    def form(self) -> Mapping[str, str]:
        """The parameters of the URL, and those of a form in the body, which win (as Go's FormValue)."""
        if self.headers.get("content-type", "").partition(";")[0].strip() != _FORM:
            return self.query
        sent = parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True)
        return {**self.query, **dict(reversed(sent))}


@dataclass(frozen=True, slots=True)
class Response:
    """One response. `close`: the connection ends with it."""

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    close: bool = False


def encode(response: Response, method: str = "GET", keep_alive: bool = True) -> bytes:
    """The bytes of a response to a request of this method."""
    body = response.body.encode()
    phrase = HTTPStatus(response.status).phrase if response.status in HTTPStatus._value2member_map_ else "status"
    lines = [f"HTTP/1.1 {response.status} {phrase}"]
    has_body = response.status >= 200 and response.status not in (204, 304)
    if has_body:
        lines += ["Content-Type: text/plain; charset=utf-8", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    if response.close or not keep_alive:
        lines.append("Connection: close")
    head = "\r\n".join((*lines, "", "")).encode("latin-1", "replace")
    return head + body if has_body and method != "HEAD" else head


class Parser:
    """Requests out of a stream. Feed it what arrives; `interim` collects what must be sent before a body comes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: Request | None = None
        self._length = 0
        self._chunks: bytearray | None = None
        self.interim = b""

    def feed(self, data: bytes) -> list[Request]:
        """The requests that are complete now. Raises BadRequest; nothing can be read after that."""
        self._buffer += data
        requests: list[Request] = []
        while True:
            self._head = head = self._head or self._read_head()
            if head is None:
                return requests
            body = self._read_body()
            if body is None:
                return requests
            requests.append(replace(head, body=body))
            self._head = None

    def _read_head(self) -> Request | None:
        while self._buffer[:2] == b"\r\n":  # "a server … SHOULD ignore at least one empty line" (section 2.2)
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _LONGEST_HEAD_BYTES:
                raise BadRequest(431, "header too long")
            return None
        head = _request(bytes(self._buffer[:end]).decode("latin-1").split("\r\n"))
        del self._buffer[: end + 4]
        self._expect_body(head)
        return head

    def _expect_body(self, head: Request) -> None:
        self._length, self._chunks = 0, None
        coding = head.headers.get("transfer-encoding", "").lower()
        length = head.headers.get("content-length", "0")
        if coding:
            if coding != "chunked" or "content-length" in head.headers:
                raise BadRequest(400, "unsupported transfer encoding")
            self._chunks = bytearray()
        elif not length.isascii() or not length.isdigit():
            raise BadRequest(400, "bad Content-Length")
        elif int(length) > _LONGEST_BODY_BYTES:
            raise BadRequest(413, "body too large")
        else:
            self._length = int(length)
        if (self._length or self._chunks is not None) and head.headers.get("expect", "").lower() == "100-continue":
            self.interim += _CONTINUE

    def _read_body(self) -> bytes | None:
        if self._chunks is not None:
            return self._read_chunks(self._chunks)
        if len(self._buffer) < self._length:
            return None
        body = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        return body

    def _read_chunks(self, chunks: bytearray) -> bytes | None:
        while True:
            end = self._buffer.find(b"\r\n")
            if end < 0:
                if len(self._buffer) > _LONGEST_HEAD_BYTES:
                    raise BadRequest(400, "bad chunk")
                return None
            size = _chunk_size(bytes(self._buffer[:end]))
            if len(chunks) + size > _LONGEST_BODY_BYTES:
                raise BadRequest(413, "body too large")
            if size == 0:
                return self._end_of_chunks(end, chunks)
            following = end + 2 + size
            if len(self._buffer) < following + 2:
                return None
            chunks += self._buffer[end + 2 : following]
            del self._buffer[: following + 2]

    def _end_of_chunks(self, end: int, chunks: bytearray) -> bytes | None:
        """Past the last chunk and its trailer section, whose fields nobody here reads."""
        blank = self._buffer.find(b"\r\n\r\n", end)
        if blank < 0:
            return None
        del self._buffer[: blank + 4]
        return bytes(chunks)


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    try:
        size = int(digits, 16)
    except ValueError:
        raise BadRequest(400, "bad chunk size") from None
    if size < 0:
        raise BadRequest(400, "bad chunk size")
    return size


def _request(lines: list[str]) -> Request:
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[0].isalpha() or parts[2] not in ("HTTP/1.0", "HTTP/1.1"):
        raise BadRequest(400, "malformed request line")
    method, target, version = parts
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400, "malformed header")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if version == "HTTP/1.1" and "host" not in headers:
        raise BadRequest(400, "missing required Host header")
    options = {option.strip().lower() for option in headers.get("connection", "").split(",")}
    keep_alive = "close" not in options if version == "HTTP/1.1" else "keep-alive" in options
    try:
        urlsplit(target)
    except ValueError:
        raise BadRequest(400, "malformed request target") from None
    return Request(method, target, headers, b"", keep_alive)
