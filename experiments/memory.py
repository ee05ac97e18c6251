"""How much of the machine's memory something takes: what is in use with it, less what was before.

All of the machine's and not the processes' own: most of a pod's memory is the kernel's, for its namespace and interface.
What is in use is added up, and not taken from what is available: pages that were freed may count as available only much
later (180 MB of a thousand namespaces after 20 s, on a virtual machine whose kernel tells its host of free pages), and
whatever is measured meanwhile would seem to take less, or give something back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

_INTERVAL_S = 0.1
_CALM_BYTES = 4 << 20
_CALM_LOOKS = 10
_TIMEOUT_S = 20.0

_IN_USE = ("AnonPages", "Shmem", "Slab", "KernelStack", "PageTables", "Percpu")
"""Of /proc/meminfo (proc(5)): processes' memory, files in tmpfs, and the kernel's. Not what it keeps of files on disks:
that is there for others, too."""


def used_bytes() -> int:
    return parse_used(Path("/proc/meminfo").read_text())


def parse_used(meminfo: str) -> int:
    """What is in use by /proc/meminfo, in bytes (proc(5) has it in kB). Raises ValueError when some of it is missing."""
    lines = dict(line.split(":", 1) for line in meminfo.splitlines())
    if missing := [name for name in _IN_USE if name not in lines]:
        raise ValueError(f"/proc/meminfo has no {', '.join(missing)}")
    return sum(int(lines[name].split()[0]) for name in _IN_USE) * 1024


def settled_bytes(look: Callable[[], int] = used_bytes, pause: Callable[[float], None] = time.sleep) -> int:
    """What is in use once that has stopped to change: the last looks lie within 4 MB.

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
