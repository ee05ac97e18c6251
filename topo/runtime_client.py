"""The agent's ends of the two sockets behind which containers run: init's and the responder's."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Thread
from typing import Any

from topo.runtime import SOCKET, encode
from topo.servers import ServedContainer
from topo.waiting import wait_until

RESPONDER_SOCKET = "responder.sock"
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
        self._connection = _connect(run / SOCKET)
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
    """Says what the responder serves. One that restarts is told everything again, at the next word to it."""

    def __init__(self, run: Path) -> None:
        self._path = run / RESPONDER_SOCKET
        self._served: dict[str, ServedContainer] = {}
        self._connection: socket.socket | None = None

    def change(self, serve: Iterable[ServedContainer], remove: Iterable[str]) -> Mapping[str, str]:
        """Serve these, no longer serve those. Returns why some could not be served, by id."""
        added, removed = {container.id: container for container in serve}, list(remove)
        self._served.update(added)
        for id in removed:
            self._served.pop(id, None)
        errors = self._ask(added, removed)
        for id in errors:
            self._served.pop(id, None)
        return errors

    def check(self) -> None:
        """Make sure that the responder is there and serves what it should."""
        self._ask({}, [])

    def _ask(self, added: Mapping[str, ServedContainer], removed: list[str]) -> Mapping[str, str]:
        while True:
            if self._connection is None:
                self._connection = _connect(self._path)
                added, removed = self._served, []
            request = {"serve": [container.as_json() for container in added.values()], "remove": removed}
            try:
                self._connection.sendall(encode(request))
                answer = self._connection.makefile("rb").readline()
            except (BrokenPipeError, ConnectionResetError):
                answer = b""
            if answer:
                errors: dict[str, str] = json.loads(answer)["errors"]
                return errors
            self._connection.close()
            self._connection = None
