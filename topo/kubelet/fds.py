"""Pipes and terminals without blocking: read and write a descriptor from a coroutine."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable

AT_ONCE_BYTES = 1 << 16


async def read(fd: int) -> bytes:
    """What is there, as soon as something is; empty at the end, also of a terminal that nobody has open any more."""
    while True:
        data = read_now(fd)
        if data is not None:
            return data
        await readable(fd)


async def readable(fd: int) -> None:
    """Return when there is something to read, or its end."""
    loop = asyncio.get_running_loop()
    await _ready(fd, loop.add_reader, loop.remove_reader)


def read_now(fd: int) -> bytes | None:
    """What is there; None where nothing is yet."""
    try:
        return os.read(fd, AT_ONCE_BYTES)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return b""


async def write(fd: int, data: bytes) -> None:
    """All of it. Raises BrokenPipeError where nobody reads any more, as also for a terminal."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(fd, left) :]
        except BlockingIOError:
            loop = asyncio.get_running_loop()
            await _ready(fd, loop.add_writer, loop.remove_writer)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            raise BrokenPipeError(error.errno, "the terminal is closed") from error


async def _ready(fd: int, add: Callable[..., None], remove: Callable[[int], bool]) -> None:
    future = asyncio.get_running_loop().create_future()
    add(fd, _settle, future)
    try:
        await future
    finally:
        remove(fd)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
