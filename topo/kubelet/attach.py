"""attach: what a container writes from now on, and its input."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from topo import container_log
from topo.kubelet import execute, fds, logs, remote
from topo.kubelet.remote import Connection, Stream, Streams
from topo.runtime import SOCKET, encode

_LARGEST_LINE_BYTES = 1 << 16


async def run(connection: Connection, log: int, input: int | None, replay: bool) -> None:
    """Until the container whose open log this is ends, or the client leaves. `input` is a descriptor of its standard
    input, a pipe or its terminal; None where it takes none. `replay`: from the container's first word on."""
    os.lseek(log, 0, os.SEEK_SET if replay else os.SEEK_END)
    streams = await connection.streams()
    output = asyncio.create_task(_output(log, streams))
    leaving = asyncio.create_task(connection.lost.wait())
    serving = []
    if input is not None and streams.stdin is not None:
        serving.append(asyncio.create_task(_feed(streams.stdin, input)))
    if input is not None and streams.resize is not None:
        serving.append(asyncio.create_task(execute.resize(streams.resize, input)))
    try:
        await asyncio.wait([output, leaving], return_when=asyncio.FIRST_COMPLETED)
        if output.done():
            await output
            await streams.error.write(remote.success())
            await execute.end(streams)
    finally:
        for task in (output, leaving, *serving):
            task.cancel()
        await asyncio.gather(output, leaving, *serving, return_exceptions=True)


async def _output(log: int, streams: Streams) -> None:
    by_name = {b"stdout": streams.stdout, b"stderr": streams.stderr}
    async for entry in _entries(log):
        stream = by_name.get(entry.stream)
        if stream is not None:
            await stream.write(entry.content)


async def _entries(log: int) -> AsyncIterator[container_log.Entry]:
    async for lines in logs.lines(log, follow=True):
        for line in lines:
            yield container_log.parse(line)


async def _feed(stdin: Stream, input: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        while data := await stdin.read():
            await fds.write(input, data)


@contextlib.asynccontextmanager
async def input_of(run_directory: Path, id: str) -> AsyncIterator[int | None]:
    """The input of a process of init's: a descriptor that does not block. None where it takes none."""
    with socket.socket(socket.AF_UNIX) as init:
        init.setblocking(False)
        await asyncio.get_running_loop().sock_connect(init, str(run_directory / SOCKET))
        await asyncio.get_running_loop().sock_sendall(init, encode({"op": "attach", "id": id}))
        found = await _handed_out(init)
    try:
        yield found[0] if found else None
    finally:
        for fd in found:
            os.close(fd)


async def _handed_out(init: socket.socket) -> list[int]:
    """The descriptors beside the line that answers the request to attach, among lines about other things."""
    line = bytearray()
    found: list[int] = []
    while True:
        await fds.readable(init.fileno())
        data, given, _, _ = socket.recv_fds(init, _LARGEST_LINE_BYTES, 1)
        found += given
        line += data
        if not data:
            return found
        for piece in container_log.lines(bytes(line)):
            if json.loads(piece)["event"] == "attached":
                return found
        line = line[line.rfind(b"\n") + 1 :]
