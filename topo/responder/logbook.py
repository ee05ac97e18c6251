"""What served containers print: that they listen, and what they are asked, as agnhost's programs do.

Lines are kept until the loop has nothing more urgent to do, so that a start of a thousand servers does not wait for
a thousand files.
"""

from __future__ import annotations

import asyncio
import os
import time

from topo import container_log

_PAUSE_S = 0.02
_MOST_BYTES = 1 << 20
"""Of one log. Nobody reads what a load generator asked a million times."""


class Log:
    """Of one run of one container. Without a file it is silent."""

    __slots__ = ("_bytes", "_logbook", "file", "lines")

    def __init__(self, file: str | None, logbook: Logbook) -> None:
        self.file, self._logbook = file, logbook
        self.lines: list[bytes] = []
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

    def open(self, file: str | None) -> Log:
        return Log(file, self)

    def changed(self, log: Log) -> None:
        if not self._changed:
            asyncio.get_running_loop().call_later(_PAUSE_S, self.write)
        self._changed[log] = None

    def write(self) -> None:
        """Write what is waiting."""
        changed, self._changed = self._changed, {}
        for log in changed:
            self.write_out(log)

    def write_out(self, log: Log, sealed: bool = False) -> None:
        assert log.file is not None
        self._changed.pop(log, None)
        os.makedirs(os.path.dirname(log.file), exist_ok=True)
        fd = container_log.open_for_writing(log.file)
        os.write(fd, b"".join(log.lines))
        log.lines.clear()
        if sealed:
            container_log.seal(fd)
        os.close(fd)


def _prefix(seconds: float) -> str:
    """As klog writes it: severity, month and day, time, process number, place."""
    whole = time.gmtime(seconds)
    micro = int(seconds % 1 * 1_000_000)
    return f"I{whole.tm_mon:02}{whole.tm_mday:02} {time.strftime('%H:%M:%S', whole)}.{micro:06}       1 log.go:245] "
