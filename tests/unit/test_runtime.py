"""What init does for the agent: processes, their streams and logs, their end. The place that they run in is not made."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from topo import confine, container_log, runtime
from topo.confine import Place
from topo.runtime import Processes

PATIENCE_S = 20.0
PLACE = Place("none", "none", "none", frozenset())


class Init:
    """As much of init as processes need."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.selector = selectors.DefaultSelector()
        self.processes = Processes(self.selector)
        self.exited: dict[str, int] = {}
        self.pids: dict[str, int] = {}

    def start(self, id: str, script: str, **container: Any) -> None:
        request = runtime.start_request(
            id, PLACE, ["sh", "-c", script], dict(os.environ), str(self.directory / f"{id}.log"), container=container
        )
        answer = self.processes.handle(request)
        assert answer is not None
        self.pids[id] = answer["pid"]

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline
            for key, _ in self.selector.select(0.01):
                key.data()
            self._reap()

    def _reap(self) -> None:
        for id, pid in self.pids.items():
            if id in self.exited or os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            self.processes.ending(pid)
            event: Mapping[str, Any] | None = self.processes.reaped(*os.waitpid(pid, 0))
            assert event is not None
            self.exited[id] = event["exit_code"]

    def until_exit(self, id: str) -> int:
        self.until(lambda: id in self.exited)
        return self.exited[id]

    def entries(self, id: str) -> list[tuple[bytes, bytes]]:
        data = (self.directory / f"{id}.log").read_bytes()
        return [(entry.stream, entry.content) for entry in map(container_log.parse, container_log.lines(data))]

    def text(self, id: str) -> bytes:
        return b"".join(content for _, content in self.entries(id))

    def end(self) -> None:
        for id in self.pids.keys() - self.exited.keys():
            self.processes.handle({"op": "signal", "id": id, "signal": 9})
            self.until_exit(id)
        self.selector.close()


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Init]:
    monkeypatch.setattr(confine, "enter", lambda _place: None)
    made = Init(tmp_path)
    yield made
    made.end()


def test_output_becomes_the_log_by_stream(init: Init) -> None:
    init.start("a", "echo out; echo err >&2; exit 4")
    assert init.until_exit("a") == 4
    assert sorted(init.entries("a")) == [(b"stderr", b"err\n"), (b"stdout", b"out\n")]


def test_the_log_is_complete_and_sealed_when_the_end_is_told(init: Init) -> None:
    init.start("a", "seq 100000")
    init.until_exit("a")
    assert init.text("a").count(b"\n") == 100_000
    fd = os.open(init.directory / "a.log", os.O_RDONLY)
    assert container_log.is_sealed(fd)
    os.close(fd)


def test_what_a_process_leaves_behind_ends_with_it(init: Init) -> None:
    init.start("a", "sleep 1000 & echo $!")
    init.until_exit("a")
    left = int(init.text("a"))
    init.until(lambda: not _runs(left))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_part_of_a_line_is_there_at_once(init: Init) -> None:
    init.start("a", "printf 'password: '; read word; echo $word", stdin=True)
    init.until(lambda: b"password: " in init.text("a"))
    fd = init.processes.input_of("a")
    assert fd is not None
    os.write(fd, b"secret\n")
    os.close(fd)
    assert init.until_exit("a") == 0
    assert init.text("a") == b"password: secret\n"


def test_without_stdin_the_input_is_empty(init: Init) -> None:
    init.start("a", "cat; echo done")
    assert init.processes.input_of("a") is None
    init.until_exit("a")
    assert init.text("a") == b"done\n"


def test_stdin_stays_open_for_the_next_who_attaches(init: Init) -> None:
    init.start("a", "cat", stdin=True)
    for word in (b"one\n", b"two\n"):
        fd = init.processes.input_of("a")
        assert fd is not None
        os.write(fd, word)
        os.close(fd)
        init.until(lambda word=word: word in init.text("a"))  # type: ignore[misc]
    assert "a" not in init.exited


def test_stdin_once_ends_with_the_first_who_attaches(init: Init) -> None:
    init.start("a", "cat", stdin=True, stdinOnce=True)
    fd = init.processes.input_of("a")
    assert fd is not None
    os.write(fd, b"one\n")
    os.close(fd)
    assert init.until_exit("a") == 0
    assert init.text("a") == b"one\n"


def test_a_terminal(init: Init) -> None:
    init.start("a", "test -t 0 && test -t 1 && test -t 2 && echo yes; read x; echo got $x", stdin=True, tty=True)
    fd = init.processes.input_of("a")
    assert fd is not None
    os.write(fd, b"it\n")
    os.close(fd)
    assert init.until_exit("a") == 0
    assert {b"yes\r\n", b"got it\r\n"} <= {content for _, content in init.entries("a")}


def test_a_terminals_process_can_be_signalled_at_once(init: Init) -> None:
    init.start("a", "sleep 1000", tty=True)
    init.processes.handle({"op": "signal", "id": "a", "signal": 9})
    assert init.until_exit("a") == 137


def test_a_log_that_cannot_be_written_keeps_nothing_from_running(init: Init, capfd: pytest.CaptureFixture[str]) -> None:
    (init.directory / "a.log").mkdir()
    init.start("a", "echo lost; exit 3")
    assert init.until_exit("a") == 3
    assert "output is lost" in capfd.readouterr().err


def test_no_descriptor_is_left_open(init: Init) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for id, container in (("a", {}), ("b", {"stdin": True}), ("c", {"stdin": True, "tty": True})):
        init.start(id, "exit 0", **container)
        init.until_exit(id)
    assert len(os.listdir("/proc/self/fd")) == before
