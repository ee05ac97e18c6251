"""What /proc says of the whole machine: time, pressure and drops since it was booted (proc(5), psi.rst)."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PRESSURE_TOTAL = re.compile(r"^some .*total=(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Machine:
    """Seconds since boot, of all processors together; pressure: in which some task waited for it, of the one clock.

    `dropped` of `received`: packets that a processor was handed and had no room for (softnet_stat).
    """

    at_s: float
    busy_s: float
    steal_s: float
    cpu_pressure_s: float
    memory_pressure_s: float
    io_pressure_s: float
    received: int
    dropped: int


def look() -> Machine:
    """Pressure is 0 where the kernel does not tell it (psi=0)."""
    busy_s, steal_s = parse_cpu(Path("/proc/stat").read_text())
    received, dropped = parse_softnet(Path("/proc/net/softnet_stat").read_text())
    return Machine(
        time.monotonic(), busy_s, steal_s, _pressure("cpu"), _pressure("memory"), _pressure("io"), received, dropped
    )


def parse_cpu(stat: str) -> tuple[float, float]:
    """Busy and stolen seconds by the first line of /proc/stat."""
    user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = map(int, stat.split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + softirq) / _TICKS_PER_S, steal / _TICKS_PER_S


def parse_softnet(text: str) -> tuple[int, int]:
    """Packets received and dropped by all processors: the first two columns of their lines, hexadecimal."""
    lines = [line.split() for line in text.splitlines()]
    return sum(int(words[0], 16) for words in lines), sum(int(words[1], 16) for words in lines)


def _pressure(kind: str) -> float:
    try:
        text = Path(f"/proc/pressure/{kind}").read_text()
    except OSError:
        return 0.0  # ENOENT without CONFIG_PSI, EOPNOTSUPP with psi=0
    return parse_pressure(text)


def parse_pressure(text: str) -> float:
    """Seconds in which at least one task waited; the file has microseconds."""
    found = _PRESSURE_TOTAL.search(text)
    return int(found[1]) / 1e6 if found else 0.0
