"""Whose processor time it was (proc(5)): that of the run's own processes, or strangers'.

A process counts with the children that it waited for, so nothing is missed that lives shorter than the time between two
looks: it comes back with whoever waited for it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PF_KTHREAD = 0x00200000
"""linux/sched.h. Threads of the kernel work for everybody; they are nobody's."""
SWITCH = "ovs-vswitchd"


@dataclass(frozen=True, slots=True)
class Process:
    """`cpu_s`: its own time, and that of its descendants that were waited for. `started`: ticks after boot."""

    pid: int
    parent: int
    name: str
    started: int
    cpu_s: float


def parse(stat: str) -> Process | None:
    """A line of /proc/PID/stat; None for a thread of the kernel. The name may have spaces and parentheses."""
    pid, _, rest = stat.partition(" (")
    name, _, fields = rest.rpartition(") ")
    words = fields.split()
    if int(words[6]) & _PF_KTHREAD:
        return None
    return Process(int(pid), int(words[1]), name, int(words[19]), sum(map(int, words[11:15])) / _TICKS_PER_S)


def look() -> dict[int, Process]:
    """All processes of this machine, less the kernel's threads."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            text = _read(f"/proc/{entry}/stat")
            process = parse(text) if text else None
            if process is not None:
                found[process.pid] = process
    return found


def _read(path: str) -> str:
    """Empty where the process has ended meanwhile."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, ProcessLookupError):
        return ""
    try:
        return os.read(fd, 4096).decode(errors="replace")
    except ProcessLookupError:
        return ""
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """How long a thread ran, and how long it waited for a processor although it could have run, in seconds."""

    ran_s: float
    waited_s: float


def parse_schedstat(text: str) -> Scheduled:
    """/proc/PID/schedstat, which is about the main thread (Documentation/scheduler/sched-stats.rst): nanoseconds."""
    ran, waited, *_ = text.split()
    return Scheduled(int(ran) / 1e9, int(waited) / 1e9)


@dataclass
class Accounts:
    """Seconds of processor time since the first look."""

    roots: frozenset[int]
    """The run's own processes are these and all that descend from them."""
    own_s: Counter[str] = field(default_factory=Counter)
    """By name of the process."""
    strangers_s: Counter[str] = field(default_factory=Counter)
    """By name of the process."""
    switch_ran_s: float = 0.0
    switch_waited_s: float = 0.0
    _last: Mapping[int, Process] = field(default_factory=dict)
    _own: set[tuple[int, int]] = field(default_factory=set)
    """Who was once the run's own stays it, wherever it is hung up when its parent ends: pid and `started`."""
    _switches: dict[int, Scheduled] = field(default_factory=dict)

    def begin(self, processes: Mapping[int, Process]) -> None:
        self._last = processes
        self._own = owned(processes, self.roots, self._own)
        self._account_switches(processes)

    def look(self, processes: Mapping[int, Process]) -> None:
        self._own = owned(processes, self.roots, self._own)
        for process, gained in gains(self._last, processes):
            if gained:
                whose = self.own_s if (process.pid, process.started) in self._own else self.strangers_s
                whose[process.name] += gained  # type: ignore[assignment]
        self._last = processes
        self._account_switches(processes)

    def _account_switches(self, processes: Mapping[int, Process]) -> None:
        for process in processes.values():
            if process.name == SWITCH and (process.pid, process.started) in self._own:
                text = _read(f"/proc/{process.pid}/schedstat")
                if text:
                    self._account_switch(process.pid, parse_schedstat(text))

    def _account_switch(self, pid: int, now: Scheduled) -> None:
        before = self._switches.get(pid, now)
        self.switch_ran_s += now.ran_s - before.ran_s
        self.switch_waited_s += now.waited_s - before.waited_s
        self._switches[pid] = now


def owned(
    processes: Mapping[int, Process], roots: Iterable[int], before: Iterable[tuple[int, int]] = ()
) -> set[tuple[int, int]]:
    """Pid and `started` of the roots, of who was owned before and is still there, and of all their descendants."""
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    waiting = [pid for pid in roots if pid in processes]
    waiting += [pid for pid, started in before if pid in processes and processes[pid].started == started]
    found: set[int] = set()
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, ())
    return {(pid, processes[pid].started) for pid in found}


def gains(before: Mapping[int, Process], now: Mapping[int, Process]) -> list[tuple[Process, float]]:
    """What each process that is there now has used since `before`, with children that began and ended meanwhile.

    What a process had used before it ended was counted when it was used; whoever waited for it gets it again.
    """
    again: Counter[int] = Counter()
    for pid, process in before.items():
        if not _same(process, now.get(pid)):
            heir = _surviving_ancestor(process, before, now)
            again[heir] += process.cpu_s  # type: ignore[assignment]
    found = []
    for pid, process in now.items():
        earlier = before.get(pid)
        start = earlier.cpu_s if earlier is not None and _same(earlier, process) else 0.0
        found.append((process, max(0.0, process.cpu_s - start - again[pid])))
    return found


def _same(process: Process, other: Process | None) -> bool:
    return other is not None and other.started == process.started


def _surviving_ancestor(process: Process, before: Mapping[int, Process], now: Mapping[int, Process]) -> int:
    """0 if there is none."""
    parent = process.parent
    while parent in before and not _same(before[parent], now.get(parent)):
        parent = before[parent].parent
    return parent


def network_namespace(pid: int) -> int | None:
    """Its inode; None where the process is gone or not to be looked at."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except (FileNotFoundError, PermissionError):
        return None
