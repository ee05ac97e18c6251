"""The logs of containers: the CRI's lines, sealing, which run is which."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from topo import container_log
from topo.container_log import Entry

NOON = 1_767_355_200_000_000_000


def test_whole_lines() -> None:
    written = container_log.entries("stdout", b"one\ntwo\n", NOON)
    assert written == b"2026-01-02T12:00:00.000000000Z stdout F one\n2026-01-02T12:00:00.000000000Z stdout F two\n"


def test_a_line_without_its_end_is_a_part() -> None:
    assert container_log.entries("stderr", b"$ ", NOON + 5) == b"2026-01-02T12:00:00.000000005Z stderr P $ \n"


def test_an_empty_line() -> None:
    assert container_log.entries("stdout", b"\n", NOON).endswith(b" stdout F \n")


@pytest.mark.parametrize("data", [b"a\nb\nc", b"\n\n", b"x", b"with\rcarriage\r\nreturns\r", b" spaces  \n"])
def test_what_was_written_is_read(data: bytes) -> None:
    assert container_log.text(container_log.entries("stdout", data, NOON)) == data


def test_parse() -> None:
    entry = container_log.parse(b"2026-01-02T12:00:00.000000000Z stderr P a b\n")
    assert entry == Entry(b"2026-01-02T12:00:00.000000000Z", b"stderr", b"a b")
    assert container_log.parse(b"t stdout F:more x\n").content == b"x\n"


def test_a_line_that_is_being_written_is_left_out() -> None:
    assert container_log.lines(b"t stdout F a\nt std") == [b"t stdout F a\n"]


def test_sealing(tmp_path: Path) -> None:
    file = str(tmp_path / "web-0.log")
    fd = container_log.open_for_writing(file)
    assert not container_log.is_sealed(fd)
    container_log.seal(fd)
    assert container_log.is_sealed(fd)
    os.close(fd)


def test_a_removed_log_counts_as_sealed(tmp_path: Path) -> None:
    file = str(tmp_path / "web-0.log")
    fd = container_log.open_for_writing(file)
    os.unlink(file)
    assert container_log.is_sealed(fd)
    container_log.seal(file)
    os.close(fd)


def test_runs_of_one_container(tmp_path: Path) -> None:
    directory = container_log.directory(tmp_path, "u")
    directory.mkdir(parents=True)
    for name in ("web-0.log", "web-10.log", "web-2.log", "web-side-0.log", "web-probe.log", "other-0.log"):
        (directory / name).touch()
    assert container_log.runs(tmp_path, "u", "web") == [0, 2, 10]
    assert container_log.runs(tmp_path, "unknown", "web") == []


def test_only_a_file_is_sealed() -> None:
    """A log that cannot be opened is /dev/null, which is not ours to change."""
    before = os.stat(os.devnull).st_mode
    container_log.seal(os.devnull)
    assert os.stat(os.devnull).st_mode == before
