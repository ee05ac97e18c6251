"""The agent's ends of the two sockets behind which containers run: init's and the responder's."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Thread
from typing import Any

from cluster.run_directory import RESPONDER_SOCKET, RUNTIME_SOCKET
from topo.runtime import encode
from topo.servers import ServedContainer
from topo.waiting import wait_until

_CONNECT_TIMEOUT_S = 30.0


def _connect(path: Path) -> socket.socket:
    """A connection to a service that may be starting. Raises Timeout."""
    connection = socket.socket(socket.AF_UNIX)

    def connected() -> bool:
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    wait_until(connected, _CONNECT_TIMEOUT_S, f"{path.name} to be there")
    return connection


class Runtime:
    """Starts and signals processes; what happens to them is told to `on_event`, from another thread."""

    def __init__(self, run: Path, on_event: Callable[[Mapping[str, Any]], None]) -> None:
        self._connection = _connect(run / RUNTIME_SOCKET)
        Thread(target=self._read, args=(on_event,), name="runtime", daemon=True).start()

    def send(self, request: Mapping[str, Any]) -> None:
        self._connection.sendall(encode(request))

    def signal(self, id: str, number: int) -> None:
        self.send({"op": "signal", "id": id, "signal": int(number)})

    def forget(self, id: str) -> None:
        self.send({"op": "forget", "id": id})

    def _read(self, on_event: Callable[[Mapping[str, Any]], None]) -> None:
        with self._connection.makefile("rb") as lines:
            for line in lines:
                on_event(json.loads(line))


class Responder:
    """Says what the responder serves, and hears of what ends by itself.

    `on_event` is called in another thread: with {"event": "exited", "id", "exit_code"}, and with {"event": "lost"}
    when the responder has died, after which the caller asks for `restore`.
    """

    def __init__(self, run: Path, on_event: Callable[[Mapping[str, Any]], None]) -> None:
        self._path = run / RESPONDER_SOCKET
        self._served: dict[str, ServedContainer] = {}
        self._connection: socket.socket | None = None
        Thread(target=self._watch, args=(on_event,), name="responder", daemon=True).start()

    def change(
        self, serve: Iterable[ServedContainer], remove: Iterable[str] = (), terminate: Iterable[str] = ()
    ) -> Mapping[str, str]:
        """Serve these; end those at once, or as by SIGTERM. Returns why some could not be served, by id."""
        added = {container.id: container for container in serve}
        removed, terminated = list(remove), list(terminate)
        self._served.update(added)
        for id in (*removed, *terminated):
            self._served.pop(id, None)
        request = {
            "serve": [container.as_json() for container in added.values()], "remove": removed, "terminate": terminated
        }  # fmt: skip
        return self._errors(request)

    def restore(self) -> Mapping[str, str]:
        """Serve exactly what was asked for so far. Returns why some could not be served, by id."""
        return self._errors({"serve": [container.as_json() for container in self._served.values()], "replace": True})

    def _errors(self, request: Mapping[str, Any]) -> Mapping[str, str]:
        answer = self._ask(request)
        # A responder that has died knows nothing of what was asked before.
        errors: dict[str, str] = answer["errors"] if answer is not None else dict(self.restore())
        for id in errors:
            self._served.pop(id, None)
        return errors

    def _ask(self, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The answer, or None if the responder has died since it was asked last."""
        if self._connection is None:
            self._connection = _connect(self._path)
        try:
            self._connection.sendall(encode(request))
            with self._connection.makefile("rb") as lines:
                line = lines.readline()
        except (BrokenPipeError, ConnectionResetError):
            line = b""
        if not line:
            self._connection.close()
            self._connection = None
            return None
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    def _watch(self, on_event: Callable[[Mapping[str, Any]], None]) -> None:
        while True:
            with _connect(self._path) as connection, connection.makefile("rwb") as lines:
                lines.write(encode({"watch": True}))
                lines.flush()
                with contextlib.suppress(ConnectionResetError):
                    for line in lines:
                        event = json.loads(line)
                        if "event" in event:
                            on_event(event)
            on_event({"event": "lost"})
