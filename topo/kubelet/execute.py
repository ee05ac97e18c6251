"""exec: a process in a container's room, as long as its connection and its container."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from topo import container_log
from topo.kubelet import fds, process, remote, tasks
from topo.kubelet.inotify import Changes
from topo.kubelet.process import Process, Wanted
from topo.kubelet.remote import Connection, Stream, Streams
from topo.places import Room

_log = logging.getLogger(__name__)


async def run(connection: Connection, room: Room, command: Sequence[str], wanted: Wanted, log: int | None) -> None:
    """Until the process ends, whose exit status the client is told; or the client leaves, or the container whose open
    log this is ends: then the process is killed."""
    streams = await connection.streams()
    started = process.start(room, command, wanted)
    ended = asyncio.Event()
    serving = [asyncio.create_task(work) for work in _input(started, streams)]
    outputs = [asyncio.create_task(_drain(fd, stream, ended)) for fd, stream in _outputs(started, streams)]
    ending = asyncio.create_task(started.wait())
    leaving: list[asyncio.Task[Any]] = [asyncio.create_task(connection.lost.wait())]
    if log is not None:
        leaving.append(asyncio.create_task(sealed(log)))
    try:
        await asyncio.wait([ending, *leaving], return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            started.kill()
        code = await ending
        ended.set()
        await asyncio.gather(*outputs)
    finally:
        await tasks.cancel((*serving, *leaving, *outputs))
        started.close()
    await streams.error.write(remote.success() if code == 0 else remote.exited(code))
    await end(streams)


async def sealed(log: int) -> None:
    """Return when the container whose open log this is has ended."""
    with Changes(log) as changes:
        while not container_log.is_sealed(log):
            await changes.wait()


async def end(streams: Streams) -> None:
    """Nothing more will be sent on any of them."""
    for stream in (streams.stdout, streams.stderr, streams.error, streams.resize, streams.stdin):
        if stream is not None:
            await stream.close()


def _input(started: Process, streams: Streams) -> list[Coroutine[Any, Any, None]]:
    work = []
    if streams.stdin is not None and started.stdin is not None:
        work.append(_feed(streams.stdin, started, started.stdin))
    if streams.resize is not None and started.stdout is not None:
        work.append(resize(streams.resize, started.stdout))
    return work


async def _feed(stdin: Stream, started: Process, fd: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        while data := await stdin.read():
            await fds.write(fd, data)
    started.close_stdin()


async def resize(sizes: Stream, terminal: int) -> None:
    """Give a terminal the sizes that the client says, as they come."""
    while message := await sizes.read():
        try:
            process.resize(terminal, *remote.terminal_size(message))
        except ValueError as error:
            _log.info("passed over: %s", error)


def _outputs(started: Process, streams: Streams) -> list[tuple[int, Stream]]:
    pairs = ((started.stdout, streams.stdout), (started.stderr, streams.stderr))
    return [(fd, stream) for fd, stream in pairs if fd is not None and stream is not None]


async def _drain(fd: int, stream: Stream, ended: asyncio.Event) -> None:
    """Pass on what comes until its end; or, once the process has ended, what is there: children of it may hold the
    pipe open for ever."""
    ending = asyncio.create_task(ended.wait())
    try:
        while (data := fds.read_now(fd)) != b"":
            if data is not None:
                await stream.write(data)
            elif ended.is_set():
                return
            else:
                reading = asyncio.create_task(fds.readable(fd))
                await asyncio.wait([reading, ending], return_when=asyncio.FIRST_COMPLETED)
                await tasks.cancel([reading])
    finally:
        ending.cancel()
