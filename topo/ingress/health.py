"""What probes ask the controller: GET /healthz, 200 while nginx serves what the API says, as ingress-nginx's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(port: int, is_healthy: Callable[[], bool]) -> ThreadingHTTPServer:
    """Answer in a thread from now on."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.partition("?")[0] == "/healthz"
            status = HTTPStatus.NOT_FOUND if not known else HTTPStatus.INTERNAL_SERVER_ERROR
            if known and is_healthy():
                status = HTTPStatus.OK
            text = f"{status.phrase.lower()}\n".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Probes come every few seconds; nobody wants to read of each."""

    server = ThreadingHTTPServer(("", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
