"""Limit what a process can ever do: to its capabilities, and without the sockets that would go round its pod's guard."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.capabilities import NET_ADMIN, NUMBERS
from topo import linux, no_xdp


def keep_only(names: Iterable[str]) -> None:
    """Limit what this process's next program can have. Irrevocable."""
    kept = {NUMBERS[name] for name in names}
    for number in _known_to_the_kernel():
        if number not in kept:
            linux.prctl(linux.PR_CAPBSET_DROP, number)
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    if NUMBERS[NET_ADMIN] not in kept:
        no_xdp.forbid()


def _known_to_the_kernel() -> range:
    with open("/proc/sys/kernel/cap_last_cap") as file:
        return range(int(file.read()) + 1)
