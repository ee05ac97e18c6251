"""What the processes of a testbed use: the children of its PID 1, as the host's /proc shows them (proc(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cluster.ingress_controller import PROGRAM as INGRESS_CONTROLLER

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MODULES = {
    "cluster.server": "api",
    "topo.agent": "agent",
    "controller.app": "controller",
    "topo.responder": "responder",
    "topo.kubelet": "kubelet",
}
_PROGRAMS = ("ovs-vswitchd", "ovsdb-server")
INGRESS = "ingress"
SERVICES = (*_PROGRAMS, *_MODULES.values(), INGRESS)
CONTAINERS = "containers"
"""Everything else that PID 1 started: what runs in pods."""


@dataclass(frozen=True, slots=True)
class Process:
    """`cpu_s` since it began; `started` tells it from a later one of the same number."""

    name: str
    started: int
    cpu_s: float
    memory_bytes: int


def children(parent: int) -> dict[int, Process]:
    """The children of a process, by number. Those that end meanwhile are left out."""
    found = {}
    for pid in _candidates(parent):
        try:
            # The name, in parentheses, may hold anything.
            words = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
            if int(words[1]) == parent:
                cpu_s = (int(words[11]) + int(words[12])) / _TICKS_PER_S
                name = name_of(_read(f"/proc/{pid}/cmdline"))
                found[pid] = Process(name, int(words[19]), cpu_s, int(words[21]) * _PAGE_BYTES)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _candidates(parent: int) -> list[int]:
    """Its children; on a kernel without CONFIG_PROC_CHILDREN, all processes."""
    try:
        return [int(word) for word in _read(f"/proc/{parent}/task/{parent}/children").split()]
    except FileNotFoundError:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _read(path: str) -> str:
    with open(path, "rb") as file:
        return file.read().decode(errors="replace")


def name_of(command_line: str) -> str:
    """A service by its own name; whatever else is a container's."""
    words = command_line.replace("\0", " ").split()
    if words and Path(words[0]).name in _PROGRAMS:
        return Path(words[0]).name
    if INGRESS_CONTROLLER in words:
        return INGRESS
    return next((_MODULES[word] for word in words[1:3] if word in _MODULES), CONTAINERS)
