"""kill -9 of the API server amid concurrent writes: what it acknowledged is there, nothing is half there, watches go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from https import Https, serving_https
from servers import TIMEOUT_S

from cluster.waiting import wait_until

PATH = "/api/v1/namespaces/default/configmaps"
WRITES, WRITERS = 1000, 20
KILLED_AFTER = 300
"""So many acknowledgements come first."""

BROKEN = (OSError, HTTPException, ValueError)
"""What a client sees of a server that dies: a reset, half an answer, a refused handshake."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Https]:
    with serving_https(tmp_path) as https:
        yield https


def content(name: str) -> dict[str, str]:
    return {"name": name, "filler": "x" * 200}


class Writers:
    """Threads that create objects until their server dies. `acknowledged`: name -> resourceVersion."""

    def __init__(self, server: Https) -> None:
        self.acknowledged: dict[str, str] = {}
        self._done = Event()
        shares = [range(start, WRITES, WRITERS) for start in range(WRITERS)]
        self._threads = [Thread(target=self._write, args=(server, share)) for share in shares]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Begin no further write, and wait for those that wait for an answer."""
        self._done.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S)

    def _write(self, server: Https, share: range) -> None:
        for number in share:
            if self._done.is_set():
                return
            name = f"cm-{number}"
            try:
                answer = server.ask("POST", PATH, {"metadata": {"name": name}, "data": content(name)})
                assert answer.status == 201, answer
                self.acknowledged[name] = answer.json["metadata"]["resourceVersion"]
            except BROKEN:
                return


class Watcher:
    """Follows from a revision, and after a break from the last one that it saw."""

    def __init__(self, server: Https, revision: str) -> None:
        self.events: list[tuple[str, str]] = []
        self.revision = revision
        self._server = server
        self._done = Event()
        self._thread = Thread(target=self._follow)
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join(TIMEOUT_S)

    def _follow(self) -> None:
        while not self._done.is_set():
            try:
                query = f"watch=1&timeoutSeconds=1&resourceVersion={self.revision}"
                response = self._server.open("GET", f"{PATH}?{query}")
                assert response.status == 200, response.read()
                while line := response.readline():
                    self._take(json.loads(line))
            except BROKEN:
                self._done.wait(0.05)  # the server is not back yet

    def _take(self, event: dict[str, Any]) -> None:
        metadata = event["object"]["metadata"]
        self.events.append((event["type"], metadata.get("name", json.dumps(event))))
        self.revision = metadata["resourceVersion"]


def test_a_killed_server_keeps_what_it_acknowledged(server: Https) -> None:
    revision = server.get(PATH)["metadata"]["resourceVersion"]
    watcher, writers = Watcher(server, revision), Writers(server)
    writers.start()
    wait_until(lambda: len(writers.acknowledged) >= KILLED_AFTER, TIMEOUT_S, "the first writes")
    server.process.restart()
    writers.end()
    stored = {obj["metadata"]["name"]: obj for obj in server.get(PATH)["items"]}
    written = {name: obj for name, obj in stored.items() if name.startswith("cm-")}
    wait_until(lambda: len(watcher.events) >= len(written), TIMEOUT_S, "the watcher to go on")
    watcher.stop()

    assert KILLED_AFTER <= len(writers.acknowledged) < WRITES, "it was to die in the middle"
    for name, version in writers.acknowledged.items():
        assert written[name]["metadata"]["resourceVersion"] == version
    assert all(obj["data"] == content(name) for name, obj in written.items())
    assert sorted(watcher.events) == sorted(("ADDED", name) for name in written)
