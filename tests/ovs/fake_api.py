"""An API server small enough to be seen through: a Unix socket, one watch stream, what the controller observed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from threading import Condition, Thread
from typing import Any

Event = Mapping[str, Any]


class FakeApi(ThreadingMixIn, UnixStreamServer):
    """Holds objects by (kind, namespace/name); `put` and `delete` are what a user's changes would be."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.revision = 0
        self.observed: tuple[int, Mapping[str, Any]] = (0, {})
        self._objects: dict[tuple[str, str, str], Any] = {}
        self._log: list[tuple[int, Event]] = []
        self._changed = Condition()
        super().__init__(str(path), _Handler)
        self._thread = Thread(target=self.serve_forever, daemon=True)

    def __enter__(self) -> FakeApi:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def put(self, *objects: Any) -> int:
        with self._changed:
            self.revision += 1
            for obj in objects:
                known = self._objects.get(_identity(obj))
                self._objects[_identity(obj)] = obj
                self._log.append((self.revision, {"type": "MODIFIED" if known else "ADDED", "object": obj}))
            self._changed.notify_all()
            return self.revision

    def delete(self, obj: Any) -> int:
        with self._changed:
            self.revision += 1
            del self._objects[_identity(obj)]
            self._log.append((self.revision, {"type": "DELETED", "object": obj}))
            self._changed.notify_all()
            return self.revision

    def batches(self, after: int) -> Any:
        """(revision, events), without end."""
        with self._changed:
            sent = self.revision
            if after == 0:
                events = [{"type": "ADDED", "object": obj} for obj in self._objects.values()]
            else:
                events = [event for revision, event in self._log if revision > after]
        yield sent, events
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.revision > sent)  # noqa: B023
                events = [event for revision, event in self._log if revision > sent]
                sent = self.revision
            yield sent, events


def _identity(obj: Any) -> tuple[str, str, str]:
    return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


class _Handler(BaseHTTPRequestHandler):
    server: FakeApi

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        after = int(self.path.rsplit("revision=", 1)[1].split("&")[0])
        try:
            for revision, events in self.server.batches(after):
                lines = [*events, {"type": "BOOKMARK", "revision": revision}]
                self.wfile.write("".join(json.dumps(line) + "\n" for line in lines).encode())
        except OSError:
            return  # the controller was killed: that is what some tests do

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.observed = (body["revision"], body["detail"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def address_string(self) -> str:
        return "controller"

    def log_message(self, *_: object) -> None:
        """The tests look at what was observed, not at requests."""
