"""How much of the machine's memory something takes: what is available before, less what is available with it.

MemAvailable and not the processes' own: most of a pod's memory is the kernel's, for its namespace and interface.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

_INTERVAL_S = 0.1
_CALM_BYTES = 4 << 20
_CALM_LOOKS = 10
_TIMEOUT_S = 20.0


def available_bytes() -> int:
    return parse_available(Path("/proc/meminfo").read_text())


def parse_available(meminfo: str) -> int:
    """MemAvailable of /proc/meminfo, in bytes (proc(5) has it in kB)."""
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise ValueError("/proc/meminfo has no MemAvailable")


def settled_bytes(look: Callable[[], int] = available_bytes, pause: Callable[[float], None] = time.sleep) -> int:
    """What is available once it has stopped to change: the last looks lie within 4 MB.

    The kernel takes namespaces down in its own time, holding the lock that making them needs; a measurement that
    began meanwhile would be one of its predecessor. On a machine that never calms down: the last look.
    """
    looks = [look()]
    while len(looks) < _TIMEOUT_S / _INTERVAL_S:
        pause(_INTERVAL_S)
        looks.append(look())
        recent = looks[-_CALM_LOOKS:]
        if len(recent) == _CALM_LOOKS and max(recent) - min(recent) < _CALM_BYTES:
            break
    return looks[-1]
