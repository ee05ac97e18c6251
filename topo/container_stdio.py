"""A container's standard streams: init's ends of them, and how what comes out becomes the log.

Output goes through pipes (or a terminal) that init reads, since a line's time and stream are known only when it
comes. Init never waits for anybody: it reads what is there. Input is written by whoever attaches, not by init, which
only hands out the descriptor.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import selectors
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from topo import container_log
from topo.container_log import Stream

_AT_ONCE_BYTES = 1 << 16
_MOST_DRAINS = 64
"""Of an ended container's pipe: more than it can hold, so that somebody who still writes holds up nothing."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The process's ends. With `terminal` all three are one, which is to control it."""

    stdin: int
    stdout: int
    stderr: int
    terminal: bool

    def take(self) -> None:
        """In the child: they become its standard streams."""
        if self.terminal:
            os.setsid()
            fcntl.ioctl(self.stdin, termios.TIOCSCTTY, 0)
        else:
            os.setpgid(0, 0)
        for source, target in ((self.stdin, 0), (self.stdout, 1), (self.stderr, 2)):
            os.dup2(source, target)

    def close(self) -> None:
        for fd in {self.stdin, self.stdout, self.stderr}:
            os.close(fd)


@dataclass(slots=True)
class Stdio:
    """Init's ends: where output is read, the log, and where to write input (None where there is none)."""

    log: str
    log_fd: int
    terminal: bool
    outputs: dict[int, Stream] = field(default_factory=dict)
    input: int | None = None
    input_once: bool = False

    def watch(self, selector: selectors.BaseSelector) -> None:
        for fd in self.outputs:
            selector.register(fd, selectors.EVENT_READ, lambda fd=fd: self._relay(fd, selector))

    def _relay(self, fd: int, selector: selectors.BaseSelector) -> bool:
        """Copy what is there to the log. False when nothing more is."""
        try:
            data = os.read(fd, _AT_ONCE_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EIO:  # what a terminal says when its last user has closed it
                raise
            data = b""
        if not data:
            selector.unregister(fd)
            del self.outputs[fd]
            if fd != self.input:
                os.close(fd)
            return False
        try:
            container_log.append(self.log_fd, self.outputs[fd], data)
        except OSError as error:
            # A full disk must not end the sandbox.
            print(f"{self.log}: output is lost: {error}", file=sys.stderr, flush=True)
        return True

    def hand_out_input(self) -> int | None:
        """A descriptor for whoever attaches, who closes it. With stdinOnce, the process's input ends with that one."""
        if self.input is None:
            return None
        given = os.dup(self.input)
        if self.input_once and not self.terminal:
            os.close(self.input)
            self.input = None
        return given

    def end(self, selector: selectors.BaseSelector) -> None:
        """The process has ended: what it wrote goes to the log, which is complete then."""
        for fd in list(self.outputs):
            for _ in range(_MOST_DRAINS):
                if not self._relay(fd, selector):
                    break
            if fd in self.outputs:
                selector.unregister(fd)
                if fd != self.input:
                    os.close(fd)
        self.outputs.clear()
        if self.input is not None:
            os.close(self.input)
        container_log.seal(self.log_fd)
        os.close(self.log_fd)


def prepare(request: Mapping[str, Any]) -> tuple[Stdio, Ends]:
    """Both sides of a process's streams, as the request to start it says."""
    stdio = Stdio(request["log"], _open_log(request["log"]), bool(request.get("tty")))
    if stdio.terminal:
        # Output and input are the same descriptor here.
        stdio.input, terminal = pty.openpty()
        os.set_blocking(stdio.input, False)
        stdio.outputs[stdio.input] = "stdout"
        return stdio, Ends(terminal, terminal, terminal, True)
    inner: dict[str, int] = {}
    for stream in ("stdout", "stderr"):
        outer, inner[stream] = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(outer, False)
        stdio.outputs[outer] = "stdout" if stream == "stdout" else "stderr"
    if request.get("stdin"):
        stdin, stdio.input = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(stdio.input, False)
        stdio.input_once = bool(request.get("stdin_once"))
    else:
        stdin = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    return stdio, Ends(stdin, inner["stdout"], inner["stderr"], False)


def _open_log(file: str) -> int:
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        return container_log.open_for_writing(file)
    except OSError as error:
        print(f"{file}: output is lost: {error}", file=sys.stderr, flush=True)
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
