"""grpc.health.v1.Health over HTTP/2 without TLS: every service is SERVING.

Check answers one message; Watch answers one and stays open; any other method is UNIMPLEMENTED; a request that is no
gRPC gets the hostname. (github.com/grpc/grpc/blob/master/doc/health-checking.md)
"""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

_SERVING = b"\x00" + (2).to_bytes(4, "big") + b"\x08\x01"
"""A gRPC message, not compressed: HealthCheckResponse{status: SERVING}."""
_CHECK, _WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
_GRPC = ("content-type", "application/grpc")
_UNIMPLEMENTED = "12"


class HealthServer:
    """The server's side of one connection. `closing`: the client said goodbye, or spoke no HTTP/2."""

    def __init__(self, hostname: str) -> None:
        self._hostname = hostname
        self._paths: dict[int, tuple[str, bool]] = {}
        self._http2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._http2.initiate_connection()
        self.closing = False

    def feed(self, data: bytes) -> bytes:
        """What to send after receiving `data`."""
        try:
            for event in self._http2.receive_data(data):
                if isinstance(event, RequestReceived):
                    headers = {str(name): str(value) for name, value in event.headers}
                    is_grpc = headers.get("content-type", "").startswith("application/grpc")
                    self._paths[event.stream_id] = (headers.get(":path", "/"), is_grpc)
                elif isinstance(event, DataReceived):
                    self._http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, StreamEnded):
                    self._answer(event.stream_id)
                elif isinstance(event, StreamReset):
                    self._paths.pop(event.stream_id, None)
                elif isinstance(event, ConnectionTerminated):
                    self.closing = True
        except ProtocolError:
            # h2 has put the GOAWAY that names the error among the bytes to send.
            self.closing = True
        return self._http2.data_to_send()

    def _answer(self, stream: int) -> None:
        path, is_grpc = self._paths.pop(stream, ("/", False))
        if not is_grpc:
            self._http2.send_headers(stream, [(":status", "200"), ("content-type", "text/plain; charset=utf-8")])
            self._http2.send_data(stream, f"{self._hostname}\n".encode(), end_stream=True)
        elif path in (_CHECK, _WATCH):
            self._http2.send_headers(stream, [(":status", "200"), _GRPC])
            self._http2.send_data(stream, _SERVING)
            if path == _CHECK:
                self._http2.send_headers(stream, [("grpc-status", "0")], end_stream=True)
        else:
            status = [("grpc-status", _UNIMPLEMENTED), ("grpc-message", f"unknown method {path}")]
            self._http2.send_headers(stream, [(":status", "200"), _GRPC, *status], end_stream=True)
