"""A process in a container's room, started for a connection and ended with it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from topo import limits, linux
from topo.exit_codes import CANNOT_EXECUTE, NOT_FOUND, exit_code
from topo.places import Room


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which streams somebody wants of a process. A terminal has no stderr of its own."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


@dataclass(slots=True)
class Process:
    """The caller's ends of its streams are descriptors that do not block; None where none was wanted. With `tty` stdin
    and stdout are the same one."""

    pid: int
    pidfd: int
    tty: bool
    stdin: int | None
    stdout: int | None
    stderr: int | None

    async def wait(self) -> int:
        """Its exit code as a shell gives it. To be called once."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(self.pidfd, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self.pidfd)
        _, status = os.waitpid(self.pid, 0)
        return exit_code(status)

    def kill(self) -> None:
        """It and its children, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def close_stdin(self) -> None:
        """The end of its input: what a pipe shows by itself, a terminal as its end-of-file character."""
        if self.stdin is None:
            return
        if self.tty:
            with contextlib.suppress(OSError):  # nobody has it open any more
                os.write(self.stdin, termios.tcgetattr(self.stdin)[6][termios.VEOF])
        else:
            os.close(self.stdin)
        self.stdin = None

    def close(self) -> None:
        """Let go of the descriptors. A terminal without them hangs up."""
        for fd in {self.stdin, self.stdout, self.stderr, self.pidfd}:
            if fd is not None:
                os.close(fd)
        self.stdin = self.stdout = self.stderr = None


def resize(terminal: int, width: int, height: int) -> None:
    """Columns and rows."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def start(room: Room, command: Sequence[str], wanted: Wanted) -> Process:
    """Start it. What keeps it from running is its exit code, 126 or 127, and on its stderr.

    The caller must have one thread only.
    """
    ours: dict[str, int] = {}
    theirs: list[int] = []
    if wanted.tty:
        terminal, inner = pty.openpty()
        theirs = [inner, inner, inner]
        ours = {"stdin": terminal, "stdout": terminal}
    else:
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            if not getattr(wanted, name):
                theirs.append(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))
                continue
            read_end, write_end = os.pipe2(os.O_CLOEXEC)
            ours[name], inner = (write_end, read_end) if number == 0 else (read_end, write_end)
            theirs.append(inner)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(room, command, theirs, wanted.tty, parent)
    for fd in set(theirs):
        os.close(fd)
    for fd in set(ours.values()):
        os.set_blocking(fd, False)
    return Process(pid, os.pidfd_open(pid), wanted.tty, ours.get("stdin"), ours.get("stdout"), ours.get("stderr"))


def _become(room: Room, command: Sequence[str], streams: Sequence[int], tty: bool, parent: int) -> NoReturn:
    code = CANNOT_EXECUTE
    try:
        os.setsid()
        if tty:
            fcntl.ioctl(streams[0], termios.TIOCSCTTY, 0)
        for target, source in enumerate(streams):
            os.dup2(source, target)
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        limits.restore()
        room.enter()
        os.chdir(room.cwd)
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            os.execvpe(command[0], list(command), dict(room.environment))
    except FileNotFoundError as error:
        code = NOT_FOUND
        _complain(command[0], error)
    except OSError as error:
        _complain(command[0], error)
    finally:
        os._exit(code)


def _complain(program: str, error: OSError) -> None:
    os.write(2, f"exec: {program!r}: {error.strerror}\n".encode())
