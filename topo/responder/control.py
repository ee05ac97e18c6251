"""The control socket: JSON lines, declarative, idempotent.

    {"serve": [ServedContainer…], "remove": [ID…], "terminate": [ID…], "replace": false, "watch": false}

Each key can be left out. `serve`: these are to be served as described, from now on. `replace`: and nothing else is.
`remove`: at once, as by SIGKILL. `terminate`: as by SIGTERM; whoever watches is told when they have exited. Every
request is answered by one line:

    {"errors": {ID: "address already in use: port 80/TCP; …"}, "notices": {ID: ["…"]}}

A container with an error is not served at all. {"error": "…"} answers what is no request. A connection that once
sent {"watch": true} is told, after the answer, of the containers that ended by themselves and were not served anew,
and from then on of each one that does:

    {"event": "exited", "id": ID, "exit_code": N}
"""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from types import TracebackType
from typing import Any

from cluster.run_directory import listen
from topo.responder.names import Names
from topo.responder.registry import Registry
from topo.runtime import encode
from topo.servers import container_of

_LONGEST_LINE_BYTES = 64 << 20
_KEYS = {"serve", "remove", "terminate", "replace", "watch"}
_log = logging.getLogger(__name__)


class Control:
    """The socket at `path`, as a context: listens inside, and ends with every server closed. `names` is what DNS
    servers know; it is the caller's to stop."""

    def __init__(self, path: Path, names: Names | None = None) -> None:
        self._path = path
        self._writers: set[asyncio.StreamWriter] = set()
        self._watching: set[asyncio.StreamWriter] = set()
        self._registry = Registry(self._tell_exited, names)

    async def __aenter__(self) -> Control:
        listener = listen(self._path)
        self._server = await asyncio.start_unix_server(self._converse, sock=listener, limit=_LONGEST_LINE_BYTES)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self._registry.clear()
        for writer in self._writers:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                answer, watch = apply(self._registry, line)
                writer.write(encode(answer))
                if watch and writer not in self._watching:
                    self._watching.add(writer)
                    for id, exit_code in self._registry.exited.items():
                        writer.write(_exited(id, exit_code))
                await writer.drain()
        except ConnectionError:
            _log.info("the agent went away")
        finally:
            self._writers.discard(writer)
            self._watching.discard(writer)
            writer.close()

    def _tell_exited(self, id: str, exit_code: int) -> None:
        for writer in self._watching:
            writer.write(_exited(id, exit_code))


def apply(registry: Registry, line: bytes) -> tuple[dict[str, Any], bool]:
    """Do what one line asks; the answer, and whether it asked to watch."""
    try:
        request = json.loads(line)
        unknown = set(request) - _KEYS
        if unknown:
            raise ValueError(f"unknown key {sorted(unknown)[0]!r}")
        containers = [container_of(data) for data in request.get("serve", ())]
    except (ValueError, KeyError, TypeError) as error:
        return {"error": f"not a request: {error!r}"}, False
    if request.get("replace"):
        registry.keep_only({container.id for container in containers})
    for id in request.get("remove", ()):
        registry.remove(id)
    for id in request.get("terminate", ()):
        registry.terminate(id)
    errors, notices = {}, {}
    for container in containers:
        outcome = registry.serve(container)
        if outcome.error:
            errors[container.id] = outcome.error
        if outcome.notices:
            notices[container.id] = outcome.notices
    return {"errors": errors, "notices": notices}, bool(request.get("watch"))


def _exited(id: str, exit_code: int) -> bytes:
    return encode({"event": "exited", "id": id, "exit_code": exit_code})
