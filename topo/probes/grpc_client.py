"""The client's side of one grpc.health.v1.Health/Check, as bytes in and out."""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import ProtocolError

_STATUSES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
"""HealthCheckResponse.ServingStatus."""
_STREAM = 1
_MESSAGE_HEADER_BYTES = 5
"""Compressed flag and length (gRPC over HTTP/2, Length-Prefixed-Message)."""


class HealthCheck:
    """Send `opening`, feed what comes, send what that returns, until there is an `answer`: the status's name, or
    what went wrong."""

    def __init__(self, authority: str, service: str) -> None:
        self._http2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._http2.initiate_connection()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/grpc.health.v1.Health/Check"),
            (":authority", authority),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("user-agent", "kube-probe/1.30"),
        ]
        self._http2.send_headers(_STREAM, headers)
        self._http2.send_data(_STREAM, _message(service), end_stream=True)
        self._body = b""
        self._grpc_status = ""
        self.opening = self._http2.data_to_send()
        self.answer: str | None = None

    def feed(self, data: bytes) -> bytes:
        """What to send after receiving `data`. Raises ValueError where the peer speaks no HTTP/2."""
        try:
            events = self._http2.receive_data(data)
        except ProtocolError as error:
            raise ValueError(f"not HTTP/2: {error}") from None
        for event in events:
            if isinstance(event, ResponseReceived | TrailersReceived):
                fields = {str(name): str(value) for name, value in event.headers}
                self._grpc_status = fields.get("grpc-status", self._grpc_status)
            elif isinstance(event, DataReceived):
                self._body += event.data
                self._http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self.answer = _status(self._grpc_status, self._body)
            elif isinstance(event, StreamReset | ConnectionTerminated):
                self.answer = f"HTTP/2 error {event.error_code}"
        return self._http2.data_to_send()


def _message(service: str) -> bytes:
    """HealthCheckRequest{service} as one gRPC message: field 1, a string."""
    name = service.encode()
    body = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\x00" + len(body).to_bytes(4, "big") + body


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _status(grpc_status: str, body: bytes) -> str:
    """The status's name. Field 1 is an enum with less than 128 values; left out, it is 0."""
    if grpc_status != "0":
        return f"grpc-status {grpc_status or 'missing'}"
    message = body[_MESSAGE_HEADER_BYTES:]
    return _STATUSES.get(message[1] if len(message) > 1 and message[0] == 0x08 else 0, "UNKNOWN")
