"""How every other process talks to the API server: blocking HTTP on its Unix socket.

Nothing that waits but sockets and time.sleep, so that it works under eventlet's monkey-patching too. A server that restarts is waited
for; every request can be repeated without harm, since all of them are level-based.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from threading import Event as Flag
from typing import Any, Literal
from urllib.parse import urlencode

from cluster.json_text import dumps, loads
from cluster.objects import Object
from cluster.problems import Problem, SpecError
from cluster.settled import Missing

PREFIX = "/mininetes/v1"
RETRY_S = 0.05
DEFAULT_PATIENCE_S = 30.0
SYNC_GRACE_S = 5.0
"""How much longer than its own timeout a `sync` request may take before the server counts as dead."""

BROKEN = (OSError, HTTPException)
"""What a connection raises when the server goes away under it."""


class ApiError(Exception):
    """The server refused a request; `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(f"{status}: {message}")


class NotInSyncError(Exception):
    """`sync` timed out; `missing` says what is not there yet, and why: all `count` of it, or the first of it."""

    def __init__(self, missing: Sequence[Missing], count: int | None = None) -> None:
        self.missing = tuple(missing)
        self.count = len(self.missing) if count is None else count
        super().__init__("; ".join(f"{one.subject}: {one.reason}" for one in self.missing))


@dataclass(frozen=True, slots=True)
class Event:
    """One changed object; of a DELETED one, its last state."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Object


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes that belong together, up to `revision`; may be empty.

    With `reset` the events are everything that exists, and whatever was known before and is not among them is gone.
    """

    revision: int
    events: tuple[Event, ...]
    reset: bool = False


class Client:
    """`path` is the server's socket; `patience_s` how long a request waits for a server that is not there."""

    def __init__(self, path: str | os.PathLike[str], patience_s: float = DEFAULT_PATIENCE_S) -> None:
        self._path = str(Path(path))
        self._patience_s = patience_s
        self._closed = Flag()
        self._watching: set[_Connection] = set()

    def close(self) -> None:
        """End every watch of this client, from any thread."""
        self._closed.set()
        for connection in tuple(self._watching):
            connection.abort()

    def apply(self, objects: Iterable[Object]) -> int:
        """Create or update, all or none. Answers the revision. Raises SpecError, with every problem."""
        return int(self._request("POST", "apply", body={"objects": list(objects)})["revision"])

    def delete(self, kind: str, namespace: str, name: str) -> int:
        """Answers the revision. Raises ApiError 404."""
        query = {"kind": kind, "namespace": namespace, "name": name}
        return int(self._request("DELETE", "objects", query)["revision"])

    def post_statuses(self, statuses: Iterable[Mapping[str, Any]]) -> int:
        """Merge statuses: {"kind", "namespace", "name", "uid", "status"} each. Answers the revision."""
        return int(self._request("POST", "status", body={"statuses": list(statuses)})["revision"])

    def post_removed(self, pods: Iterable[Mapping[str, Any]]) -> None:
        """Say that these Pods have ended: {"namespace", "name", "uid"} each. Those that terminate are removed."""
        self._request("POST", "removed", body={"pods": list(pods)})

    def post_events(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Record Events: {"involved": ObjectReference, "type", "reason", "message", "component", "host"} each."""
        self._request("POST", "events", body={"events": list(events)})

    def annotate(self, kind: str, namespace: str, name: str, annotations: Mapping[str, str | None]) -> int:
        """Set annotations of an object; None removes one. Answers the revision. Raises ApiError 404."""
        body = {"kind": kind, "namespace": namespace, "name": name, "annotations": dict(annotations)}
        return int(self._request("POST", "annotate", body=body)["revision"])

    def post_heartbeat(self, nodes: Iterable[str]) -> None:
        """Say that these nodes are alive."""
        self._request("POST", "heartbeat", body={"nodes": list(nodes)})

    def observed(self, component: str, revision: int, detail: Mapping[str, Any] | None = None) -> None:
        """Say that what `component` realises holds everything up to `revision`."""
        body = {"component": component, "revision": revision, "detail": dict(detail or {})}
        self._request("POST", "observed", body=body)

    def objects(self, kinds: Iterable[str] = ()) -> tuple[int, list[Object]]:
        """The revision, and all objects of these kinds (none given: of all kinds)."""
        answer = self._request("GET", "objects", {"kinds": ",".join(kinds)})
        return int(answer["revision"]), answer["objects"]

    def wait_realised(self, component: str, revision: int, timeout_s: float) -> int:
        """Wait until a component has observed a revision; the one it has. Raises NotInSyncError."""
        query = {"component": component, "revision": str(revision), "timeout_s": str(timeout_s)}
        answer = self._request("GET", "realised", query, timeout_s=timeout_s + SYNC_GRACE_S)
        return int(answer["revision"])

    def said_by(self, component: str) -> Mapping[str, Any]:
        """The detail with which a component last said what it has observed. Raises NotInSyncError before it has."""
        query = {"component": component, "revision": "0", "timeout_s": "0"}
        answer: Mapping[str, Any] = self._request("GET", "realised", query, timeout_s=SYNC_GRACE_S)["detail"]
        return answer

    def sync(self, timeout_s: float, shown: int | None = None) -> Mapping[str, Any]:
        """Wait until the testbed realises what the API says. `shown`: how much of what is missing to tell.

        Answers {"revision", "observed": {component: {"revision", "detail"}}}. Raises NotInSyncError.
        """
        query = {"timeout_s": str(timeout_s)} | ({} if shown is None else {"shown": str(shown)})
        answer: Mapping[str, Any] = self._request("GET", "sync", query, timeout_s=timeout_s + SYNC_GRACE_S)
        return answer

    def watch(self, kinds: Iterable[str], revision: int = 0) -> Iterator[Batch]:
        """Batches of changes after `revision` (0: first everything that exists, as a `reset` batch), without end.

        When the server restarts, the watch goes on where it was, or with a `reset` batch if there is a gap. After
        every connection comes one batch at least, be it empty. Ends after `close`.
        """
        names = ",".join(kinds)
        while not self._closed.is_set():
            connection = _Connection(self._path, None)
            self._watching.add(connection)
            try:
                for batch in _batches(connection, names, revision):
                    revision = batch.revision
                    yield batch
            except _GoneError:
                revision = 0
            except BROKEN:
                time.sleep(RETRY_S)
            finally:
                self._watching.discard(connection)
                connection.close()

    def _request(
        self,
        method: str,
        resource: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """The JSON answer of one request, repeated until there is a server to answer it."""
        target = f"{PREFIX}/{resource}" + (f"?{urlencode(query)}" if query else "")
        text = None if body is None else dumps(body).encode()
        deadline = time.monotonic() + self._patience_s
        while True:
            connection = _Connection(self._path, timeout_s)
            try:
                connection.request(method, target, text)
                response = connection.getresponse()
                return _answer(response.status, response.read())
            except BROKEN:
                if time.monotonic() > deadline or self._closed.is_set():
                    raise
                time.sleep(RETRY_S)
            finally:
                connection.close()


class _GoneError(Exception):
    """The server no longer knows the changes since that revision."""


class _Connection(HTTPConnection):
    def __init__(self, path: str, timeout_s: float | None) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def abort(self) -> None:
        """Wake the thread that reads from it."""
        if self.sock is not None:
            self.sock.shutdown(socket.SHUT_RDWR)


def _batches(connection: _Connection, kinds: str, revision: int) -> Iterator[Batch]:
    """The batches of one connection. Raises _GoneError, ApiError, or what a broken connection raises."""
    connection.request("GET", f"{PREFIX}/watch?{urlencode({'kinds': kinds, 'revision': revision})}")
    response = connection.getresponse()
    if response.status == 410:
        raise _GoneError
    if response.status != 200:
        _answer(response.status, response.read())
    events: list[Event] = []
    reset = revision == 0
    for line in _lines(response):
        entry = loads(line)
        if entry["type"] != "BOOKMARK":
            events.append(Event(entry["type"], entry["object"]))
            continue
        yield Batch(entry["revision"], tuple(events), reset)
        events, reset = [], False


def _lines(response: HTTPResponse) -> Iterator[bytes]:
    """Whole lines only: what a dying server left of one is dropped with its batch."""
    while (line := response.readline()).endswith(b"\n"):
        yield line


def _answer(status: int, content: bytes) -> Any:
    if status == 200:
        return loads(content)
    if status == 422:
        raise SpecError([Problem(**problem) for problem in loads(content)["problems"]])
    if status == 504:
        told = loads(content)
        raise NotInSyncError([Missing(**missing) for missing in told["missing"]], told["missing_count"])
    raise ApiError(status, content.decode(errors="replace"))
