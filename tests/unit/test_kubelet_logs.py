"""Which lines of a container's log somebody gets, and how it is followed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from topo import container_log
from topo.kubelet import logs
from topo.kubelet.logs import Options

SECOND = 1_000_000_000
START = 1_767_355_200 * SECOND
PATIENCE_S = 10.0


class Written:
    """A log that a test writes."""

    def __init__(self, file: Path) -> None:
        self.file = str(file)
        self._fd = container_log.open_for_writing(self.file)

    def write(self, data: bytes, at_s: int = 0, stream: container_log.Stream = "stdout") -> None:
        os.write(self._fd, container_log.entries(stream, data, START + at_s * SECOND))

    def end(self) -> None:
        container_log.seal(self._fd)

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    log = Written(tmp_path / "web-0.log")
    yield log
    log.close()


def read(log: Written, wanted: Options) -> bytes:
    async def all_of_it() -> bytes:
        fd = os.open(log.file, os.O_RDONLY)
        try:
            return b"".join([piece async for piece in logs.read(fd, wanted)])
        finally:
            os.close(fd)

    return asyncio.run(all_of_it())


def test_everything(written: Written) -> None:
    written.write(b"one\ntwo\n")
    written.write(b"oops\n", stream="stderr")
    assert read(written, Options()) == b"one\ntwo\noops\n"


@pytest.mark.parametrize(
    ("lines", "told"),
    [(0, b""), (1, b"three and more\n"), (2, b"two\nthree and more\n"), (9, b"one\ntwo\nthree and more\n")],
)
def test_tail(written: Written, lines: int, told: bytes) -> None:
    written.write(b"one\ntwo\n")
    written.write(b"three ")
    written.write(b"and more\n")
    assert read(written, Options(tail_lines=lines)) == told


@pytest.mark.parametrize("lines", [1, 999, 5000, 20_000])
def test_tail_of_a_long_log(written: Written, lines: int) -> None:
    every = [b"%d %s\n" % (number, b"x" * (number % 97)) for number in range(20_000)]
    written.write(b"".join(every))
    assert read(written, Options(tail_lines=lines)) == b"".join(every[-lines:])


def test_tail_with_lines_longer_than_a_block(written: Written) -> None:
    long = b"y" * 200_000 + b"\n"
    written.write(b"first\n" + long + b"last\n")
    assert read(written, Options(tail_lines=2)) == long + b"last\n"


def test_since(written: Written) -> None:
    written.write(b"old\n", 0)
    written.write(b"new\n", 10)
    wanted = logs.options({"sinceTime": "2026-01-02T12:00:05Z"}, 0)
    assert read(written, wanted) == b"new\n"
    assert read(written, logs.options({"sinceSeconds": "3"}, START / SECOND + 12)) == b"new\n"


def test_timestamps_stand_at_the_beginning_of_lines_only(written: Written) -> None:
    written.write(b"a ", 1)
    written.write(b"line\n", 2)
    written.write(b"another\n", 3)
    assert read(written, Options(timestamps=True)) == (
        b"2026-01-02T12:00:01.000000000Z a line\n2026-01-02T12:00:03.000000000Z another\n"
    )


def test_limit(written: Written) -> None:
    written.write(b"0123456789\n")
    assert read(written, Options(limit_bytes=4)) == b"0123"


def test_one_stream(written: Written) -> None:
    written.write(b"out\n")
    written.write(b"err\n", stream="stderr")
    assert read(written, Options(stream="Stderr")) == b"err\n"


def test_following_ends_with_the_container(written: Written) -> None:
    async def follow() -> list[bytes]:
        fd = os.open(written.file, os.O_RDONLY)
        told = []
        steps = iter([lambda: written.write(b"two\n"), lambda: written.write(b"three\n"), written.end])
        written.write(b"one\n")
        async for piece in logs.read(fd, Options(follow=True)):
            told.append(piece)
            asyncio.get_running_loop().call_soon(next(steps))
        os.close(fd)
        return told

    assert asyncio.run(asyncio.wait_for(follow(), PATIENCE_S)) == [b"one\n", b"two\n", b"three\n"]


def test_following_what_has_ended(written: Written) -> None:
    written.write(b"all\n")
    written.end()
    assert read(written, Options(follow=True)) == b"all\n"


def test_following_ends_when_the_log_is_removed(written: Written) -> None:
    async def follow() -> list[bytes]:
        fd = os.open(written.file, os.O_RDONLY)
        asyncio.get_running_loop().call_later(0.01, os.unlink, written.file)
        told = [piece async for piece in logs.read(fd, Options(follow=True))]
        os.close(fd)
        return told

    assert asyncio.run(asyncio.wait_for(follow(), PATIENCE_S)) == []


@pytest.mark.parametrize(
    "query", [{"tailLines": "x"}, {"tailLines": "-1"}, {"limitBytes": "0"}, {"sinceTime": "yesterday"}]
)
def test_a_wrong_query(query: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        logs.options(query, 0)
