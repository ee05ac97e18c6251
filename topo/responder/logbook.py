"""What served containers print: that they listen, and what they are asked, as agnhost's programs do.

Lines are written a little later, and of many logs a few at a time: a start of a thousand servers must not wait for a
thousand files. While more and more servers begin, their files are not made at all.
"""

from __future__ import annotations

import asyncio
import os
import time
from itertools import islice

from topo import container_log

_PAUSE_S = 0.05
_LOGS_AT_A_TIME = 10
"""Making a file takes up to 0.5 ms on a disk: a tenth of one processor, at most."""
_QUIET_S, _LONGEST_WAIT_S = 0.1, 2.0
"""The first files of new logs are made when no log has begun for the first, or one waits for the second."""
_MOST_BYTES = 1 << 20
"""Of one log. Nobody reads what a load generator asked a million times."""


class Log:
    """Of one run of one container. Without a file it is silent."""

    __slots__ = ("_bytes", "_logbook", "begun_at", "file", "has_file", "lines")

    def __init__(self, file: str | None, logbook: Logbook) -> None:
        self.file, self._logbook = file, logbook
        self.lines: list[bytes] = []
        self.has_file = False
        self.begun_at = 0.0
        self._bytes = 0

    def say(self, text: str) -> None:
        if self.file is None or self._bytes > _MOST_BYTES:
            return
        line = f"{_prefix(time.time())}{text}\n".encode()
        self._bytes += len(line)
        if self._bytes > _MOST_BYTES:
            line += b"(no more of this is written)\n"
        self.lines.append(container_log.entries("stdout", line, time.time_ns()))
        self._logbook.changed(self)

    def end(self) -> None:
        """Nothing more will come. What waits is written at once: its directory may be gone soon."""
        if self.file is not None:
            self._logbook.write_out(self, sealed=True)


class Logbook:
    """All logs of this process."""

    def __init__(self) -> None:
        self._changed: dict[Log, None] = {}
        self._latest_beginning = 0.0

    def open(self, file: str | None) -> Log:
        return Log(file, self)

    def changed(self, log: Log) -> None:
        if not self._changed:
            self._write_later()
        self._changed[log] = None
        if not log.has_file and not log.begun_at:
            self._latest_beginning = log.begun_at = time.monotonic()

    def write(self) -> None:
        """Write all that is waiting."""
        for log in list(self._changed):
            self.write_out(log)

    def _write_later(self) -> None:
        asyncio.get_running_loop().call_later(_PAUSE_S, self._write_some)

    def _write_some(self) -> None:
        for log in list(islice(filter(self._is_due, self._changed), _LOGS_AT_A_TIME)):
            self.write_out(log)
        if self._changed:
            self._write_later()

    def _is_due(self, log: Log) -> bool:
        now = time.monotonic()
        return log.has_file or now - self._latest_beginning > _QUIET_S or now - log.begun_at > _LONGEST_WAIT_S

    def write_out(self, log: Log, sealed: bool = False) -> None:
        assert log.file is not None
        self._changed.pop(log, None)
        os.makedirs(os.path.dirname(log.file), exist_ok=True)
        fd = container_log.open_for_writing(log.file)
        os.write(fd, b"".join(log.lines))
        log.lines.clear()
        log.has_file = True
        if sealed:
            container_log.seal(fd)
        os.close(fd)


def _prefix(seconds: float) -> str:
    """As klog writes it: severity, month and day, time, process number, place."""
    whole = time.gmtime(seconds)
    micro = int(seconds % 1 * 1_000_000)
    return f"I{whole.tm_mon:02}{whole.tm_mday:02} {time.strftime('%H:%M:%S', whole)}.{micro:06}       1 log.go:245] "
