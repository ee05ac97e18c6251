"""What exec, attach and port-forward need of a connection: streams, whatever carries them."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

_WAITING = 64
"""Pieces that a stream holds before its connection is not read any more: what is not taken must not fill memory."""


class Stream(Protocol):
    """One of the streams of a connection. Reading and writing fail in silence once the connection is lost: reading
    ends, and what is written is written to nobody."""

    async def read(self) -> bytes:
        """The next piece; empty at the end."""

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None:
        """Nothing more will be written."""


class Inbox:
    """What has come for one stream, for one reader."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._ended = False
        self._some, self._room = asyncio.Event(), asyncio.Event()

    async def put(self, data: bytes) -> None:
        """Wait until there is room for it. After the end it is dropped."""
        while len(self._pieces) >= _WAITING and not self._ended:
            self._room.clear()
            await self._room.wait()
        if data and not self._ended:
            self._pieces.append(data)
            self._some.set()

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._some.set()
        self._room.set()

    def drop(self) -> None:
        """Nobody takes anything any more; whoever waits for room goes on."""
        self._pieces.clear()
        self.end()

    async def get(self) -> bytes:
        """The next piece; empty at the end."""
        while not self._pieces:
            if self._ended:
                return b""
            self._some.clear()
            await self._some.wait()
        self._room.set()
        return self._pieces.popleft()


@dataclass(frozen=True, slots=True)
class Streams:
    """Of an exec or attach. None: not wanted, or (resize) not there."""

    stdin: Stream | None
    stdout: Stream | None
    stderr: Stream | None
    error: Stream
    resize: Stream | None


@dataclass(frozen=True, slots=True)
class Forward:
    """Of one connection of a port-forward."""

    port: int
    data: Stream
    error: Stream


class Connection(Protocol):
    """An upgraded connection. `lost` is set when its other end is gone."""

    @property
    def lost(self) -> asyncio.Event: ...

    async def streams(self) -> Streams:
        """Those of an exec or attach, once they are all there. Raises ConnectionError."""

    def forwards(self) -> AsyncIterator[Forward]:
        """Those of a port-forward, as they come, until there can be no more."""

    async def close(self) -> None: ...


def success() -> bytes:
    """The v1.Status of a command that ended with 0."""
    return _encoded({"metadata": {}, "status": "Success"})


def exited(code: int) -> bytes:
    """The v1.Status of a command that ended with another code, in the form that clients take it from."""
    return _encoded({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    })  # fmt: skip


def failure(message: str) -> bytes:
    """The v1.Status of what could not be done."""
    return _encoded(
        {"metadata": {}, "status": "Failure", "reason": "InternalError", "message": message, "code": 500}
    )


def terminal_size(message: bytes) -> tuple[int, int]:
    """Width and height, as a client says them on the resize stream. Raises ValueError."""
    try:
        size = json.loads(message)
        width, height = int(size["Width"]), int(size["Height"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a terminal's size: {message!r}") from error
    if not (0 <= width < 1 << 16 and 0 <= height < 1 << 16):
        raise ValueError(f"not a terminal's size: {message!r}")
    return width, height


def _encoded(status: dict[str, Any]) -> bytes:
    return json.dumps({"kind": "Status", "apiVersion": "v1", **status}).encode()
