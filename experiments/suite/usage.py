"""Processor time and memory of one network's own processes: PID 1 of its sandbox and all that descend from it.

Not of iperf3 and the like, which come from outside. What the kernel does for a network, and that is all a plain one is,
shows in the processors of the whole machine only.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from experiments.fidelity import processes
from experiments.fidelity.processes import Accounts

_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


class Usage:
    """Processor time since it was made."""

    def __init__(self, process_id: int) -> None:
        self._accounts, self._began_s = Accounts(frozenset({process_id})), time.monotonic()
        self._accounts.begin(processes.look())

    def processors(self) -> float:
        """In use by them, on average."""
        self._accounts.look(processes.look())
        return self._accounts.own_s.total() / (time.monotonic() - self._began_s)


def memory_bytes(process_id: int) -> float:
    """Proportional set size of all of them: what several share counts once (proc(5), smaps_rollup)."""
    own = processes.owned(processes.look(), {process_id})
    return float(sum(_pss_bytes(pid) for pid, _ in own))


def _pss_bytes(pid: int) -> int:
    try:
        found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended meanwhile
    return int(found[1]) * 1024 if found else 0
