"""The log of one run of a container: a file of lines as the CRI writes them, and how it is written, sealed and read.

    2026-01-02T03:04:05.678901234Z stdout F a whole line
    2026-01-02T03:04:05.678901234Z stderr P a part of a line, to be continued

(Kubernetes' container runtime interface, "CRI: Log management".) A log is *sealed*, made read-only, when its
container has ended: whoever follows it learns so from the file itself, whatever process wrote it.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Stream = Literal["stdout", "stderr"]

_OPEN_MODE, _SEALED_MODE = 0o600, 0o400
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A line, or a part of one: `content` ends with a newline unless it is a part that is continued."""

    time: bytes
    stream: bytes
    content: bytes


def directory(run: str | Path, uid: str) -> Path:
    """Where the logs of a pod's containers are."""
    return Path(run) / "pods" / uid


def path(run: str | Path, uid: str, container: str, restarts: int) -> str:
    """One file per start, as the kubelet keeps them."""
    return str(directory(run, uid) / f"{container}-{restarts}.log")


def runs(run: str | Path, uid: str, container: str) -> list[int]:
    """The numbers of the runs of which there is a log, in order."""
    prefix, suffix = f"{container}-", ".log"
    try:
        names = os.listdir(directory(run, uid))
    except FileNotFoundError:
        return []
    numbers = (name[len(prefix) : -len(suffix)] for name in names if name.startswith(prefix) and name.endswith(suffix))
    return sorted(int(number) for number in numbers if number.isdigit())


def open_for_writing(file: str) -> int:
    """A descriptor that appends. Raises OSError."""
    return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _OPEN_MODE)


def entries(stream: Stream, data: bytes, now_ns: int) -> bytes:
    """What is written for this output, which came at `now_ns` (epoch). A last line without its end is a part."""
    head = f"{timestamp(now_ns)} {stream} ".encode()
    whole, newline, rest = data.rpartition(b"\n")
    lines = [head + b"F " + line + b"\n" for line in whole.split(b"\n")] if newline else []
    if rest:
        lines.append(head + b"P " + rest + b"\n")
    return b"".join(lines)


def append(fd: int, stream: Stream, data: bytes) -> None:
    """Write output that came just now."""
    os.write(fd, entries(stream, data, time.time_ns()))


def seal(file: str | int) -> None:
    """The container has ended: nothing more will come. Idempotent, also where there is no log, or /dev/null for one."""
    try:
        if stat.S_ISREG(os.stat(file).st_mode):
            os.chmod(file, _SEALED_MODE)
    except FileNotFoundError:
        return


def is_sealed(fd: int) -> bool:
    """Whether nothing more will come: its container has ended, or the log is gone with its pod."""
    status = os.fstat(fd)
    return not status.st_mode & stat.S_IWUSR or status.st_nlink == 0


def timestamp(ns: int) -> str:
    """RFC 3339 with nanoseconds."""
    seconds, fraction = divmod(ns, _NS_PER_S)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:09d}Z"


def parse(line: bytes) -> Entry:
    """The entry of a line of the file. Raises ValueError where it is none."""
    moment, stream, tag, content = line.removesuffix(b"\n").split(b" ", 3)
    # The tag may have more than one part: "F:more".
    whole = tag.split(b":")[0] == b"F"
    return Entry(moment, stream, content + (b"\n" if whole else b""))


def lines(data: bytes) -> list[bytes]:
    """The lines of a file's content, each with its end; what has none yet is left out. (Not `splitlines`: a terminal's
    output is full of carriage returns.)"""
    return [line + b"\n" for line in data.split(b"\n")[:-1]]


def text(data: bytes) -> bytes:
    """What the container wrote, from the content of its log."""
    return b"".join(parse(line).content for line in lines(data))
