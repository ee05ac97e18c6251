"""A container's log: which lines somebody wants, to the end of what is there or followed to the container's end."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from topo import container_log
from topo.container_log import Entry
from topo.kubelet.inotify import Changes

_BLOCK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Options:
    """What PodLogOptions of the API say. `since` is a time as the log has them."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since: bytes = b""
    stream: str = "All"


def options(query: Mapping[str, str], now: float) -> Options:
    """Of a request's query, at `now` (epoch seconds). Raises ValueError."""
    since = b""
    if "sinceSeconds" in query:
        since = _written(now - _number(query, "sinceSeconds", 1))
    elif "sinceTime" in query:
        since = _written(datetime.fromisoformat(query["sinceTime"].replace("Z", "+00:00")).timestamp())
    return Options(
        follow=_truth(query, "follow"),
        previous=_truth(query, "previous"),
        timestamps=_truth(query, "timestamps"),
        tail_lines=_number(query, "tailLines", 0) if "tailLines" in query else None,
        limit_bytes=_number(query, "limitBytes", 1) if "limitBytes" in query else None,
        since=since,
        stream=query.get("stream", "All"),
    )


def _written(seconds: float) -> bytes:
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}000Z".encode()


def _truth(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "false").lower() in ("true", "1")


def _number(query: Mapping[str, str], name: str, least: int) -> int:
    number = int(query[name])
    if number < least:
        raise ValueError(f"{name}: must be at least {least}")
    return number


async def read(log: int, wanted: Options) -> AsyncIterator[bytes]:
    """The pieces to send of an open log."""
    if wanted.tail_lines is not None:
        os.lseek(log, _tail_offset(log, wanted.tail_lines), os.SEEK_SET)
    left = wanted.limit_bytes
    shown = _Shown(wanted)
    async for whole in lines(log, wanted.follow):
        piece = b"".join(shown.text(container_log.parse(line)) for line in whole)
        if left is not None:
            piece = piece[:left]
            left -= len(piece)
        if piece:
            yield piece
        if left == 0:
            return


class _Shown:
    """How entries are shown: a line that came in parts has one time, at its beginning."""

    def __init__(self, wanted: Options) -> None:
        self._wanted = wanted
        self._inside: set[bytes] = set()
        """The streams whose last entry was a part."""

    def text(self, entry: Entry) -> bytes:
        wanted, begins = self._wanted, entry.stream not in self._inside
        (self._inside.discard if entry.content.endswith(b"\n") else self._inside.add)(entry.stream)
        if entry.time < wanted.since or wanted.stream.lower() not in ("all", entry.stream.decode()):
            return b""
        return entry.time + b" " + entry.content if wanted.timestamps and begins else entry.content


async def lines(log: int, follow: bool) -> AsyncIterator[list[bytes]]:
    """The lines of the file from where it stands, as they come."""
    rest = b""
    with Changes(log) as changes:
        while True:
            sealed = container_log.is_sealed(log)
            while block := os.read(log, _BLOCK_BYTES):
                whole, newline, rest = (rest + block).rpartition(b"\n")
                if newline:
                    yield container_log.lines(whole + newline)
            if sealed or not follow:
                return
            await changes.wait()


def _tail_offset(log: int, lines: int) -> int:
    """Where the last so many whole lines (and a part after them) begin."""
    if lines == 0:
        return os.fstat(log).st_size
    starts: list[int] = []
    for start, line in _backwards(log):
        if container_log.parse(line).content.endswith(b"\n"):
            if len(starts) == lines:
                break
            starts.append(start)
        elif starts:
            starts[-1] = start
    else:
        return 0
    return starts[-1]


def _backwards(log: int) -> Iterator[tuple[int, bytes]]:
    """The lines of the file from the last one on, each with where it begins."""
    end = os.fstat(log).st_size
    rest = b""
    while end > 0:
        start = max(0, end - _BLOCK_BYTES)
        block = os.pread(log, end - start, start) + rest
        end = start
        first, newline, others = block.partition(b"\n")
        if start > 0 and not newline:
            rest = block
            continue
        at = start + len(block)
        if start > 0:
            block, rest = others, first + newline
        for line in reversed(container_log.lines(block)):
            at -= len(line)
            yield at, line
