"""attach: what a container writes from now on, and its input."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from cluster.run_directory import RUNTIME_SOCKET
from topo import container_log
from topo.kubelet import execute, fds, logs, remote, tasks
from topo.kubelet.remote import Connection, Stream, Streams
from topo.runtime import encode

_LARGEST_LINE_BYTES = 1 << 16


class Input:
    """A container's standard input, a pipe or its terminal, by a descriptor that does not block."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._open = True

    @property
    def terminal(self) -> bool:
        return os.isatty(self.fd)

    def close(self) -> None:
        """Idempotent. With stdinOnce, the container's input has ended then: nobody else can write to it."""
        if self._open:
            self._open = False
            os.close(self.fd)


async def run(connection: Connection, log: int, input: Input | None, replay: bool) -> None:
    """Until the container whose open log this is ends, or the client leaves. Without `input`, it takes none. `replay`:
    from the container's first word on."""
    os.lseek(log, 0, os.SEEK_SET if replay else os.SEEK_END)
    streams = await connection.streams()
    output = asyncio.create_task(_output(log, streams))
    leaving = asyncio.create_task(connection.lost.wait())
    serving = []
    if input is not None and streams.stdin is not None:
        serving.append(asyncio.create_task(_feed(streams.stdin, input)))
    if input is not None and input.terminal and streams.resize is not None:
        serving.append(asyncio.create_task(execute.resize(streams.resize, input.fd)))
    try:
        await asyncio.wait([output, leaving], return_when=asyncio.FIRST_COMPLETED)
        if output.done():
            await output
            await streams.error.write(remote.success())
            await execute.end(streams)
    finally:
        await tasks.cancel((output, leaving, *serving))


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


async def _feed(stdin: Stream, input: Input) -> None:
    with contextlib.suppress(BrokenPipeError):
        while data := await stdin.read():
            await fds.write(input.fd, data)
    if not input.terminal:
        input.close()


@contextlib.asynccontextmanager
async def input_of(run_directory: Path, id: str) -> AsyncIterator[Input | None]:
    """The input of a process of init's, until the end of the context. None where it takes none."""
    with socket.socket(socket.AF_UNIX) as init:
        init.setblocking(False)
        await asyncio.get_running_loop().sock_connect(init, str(run_directory / RUNTIME_SOCKET))
        await asyncio.get_running_loop().sock_sendall(init, encode({"op": "attach", "id": id}))
        found = [Input(fd) for fd in await _handed_out(init)]
    try:
        yield found[0] if found else None
    finally:
        for input in found:
            input.close()


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
