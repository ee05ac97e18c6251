"""Room in the switch's packet sockets for what arrives in a burst (packet(7)).

The userspace datapath receives from a port by a packet socket, whose buffer Open vSwitch leaves at the system's default:
212,992 bytes hold two or three 64 kB segments, all others are dropped and sent again. The default is the host's to
change. But a socket can be borrowed from the process that has it (pidfd_getfd(2)) and given room of its own.

`python -m topo.packet_sockets` does that once, in a sandbox or wherever there is an Open vSwitch in /run/openvswitch.
"""

from __future__ import annotations

import logging
import os
import select
import socket
from contextlib import closing
from pathlib import Path
from threading import Lock, Thread

from topo import linux, ovs, services
from topo.waiting import wait_until

_LOG = logging.getLogger(__name__)

PID_FILE = Path(services.OVS_RUN) / "ovs-vswitchd.pid"
RECEIVE_BUFFER_BYTES = 4 << 20
"""More than the largest window of a TCP connection (tcp(7), tcp_rmem), as the kernel doubles it."""
_SO_RCVBUFFORCE = 33
_RESTART_TIMEOUT_S = 60.0


class PacketSockets:
    """Those of the switch that runs, and of each that comes after it. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pid = 0
        self._known: set[str] = set()
        """Descriptors of that process, as /proc shows them: "12 socket:[4711]"."""

    def enlarge(self) -> None:
        """Give room to those of ports that were opened since the last time."""
        with self._lock:
            pid = _running()
            if pid != self._pid:
                self._pid, self._known = pid, set()
            self._known |= _enlarge(pid, self._known)

    def follow_restarts(self) -> None:
        """Enlarge whenever another switch process has opened the ports; in a thread of its own, from now on."""
        Thread(target=self._follow, name="packet-sockets", daemon=True).start()

    def _follow(self) -> None:
        while True:
            pid = _running()
            _wait_for_end(pid)
            wait_until(lambda pid=pid: _running() not in (0, pid), _RESTART_TIMEOUT_S, "another ovs-vswitchd")  # type: ignore[misc]
            ovs.wait_for_switch(_running())
            self.enlarge()


def _running() -> int:
    """The switch's process; 0 while there is none."""
    try:
        return int(PID_FILE.read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _process(pid: int) -> int | None:
    """A descriptor of a process, for the caller to close; None where there is none by now."""
    try:
        return os.pidfd_open(pid) if pid else None
    except ProcessLookupError:
        return None


def _wait_for_end(pid: int) -> None:
    process = _process(pid)
    if process is None:
        return
    ended = select.poll()
    ended.register(process, select.POLLIN)
    ended.poll()
    os.close(process)


def _enlarge(pid: int, known: set[str]) -> set[str]:
    """What is open in that process and not among `known`; its packet sockets have room now."""
    process = _process(pid)
    if process is None:
        return set()
    found: set[str] = set()
    try:
        found = {entry for entry in _sockets(pid) if entry not in known}
        for entry in found:
            fd = linux.pidfd_getfd(process, int(entry.split()[0]))
            with closing(socket.socket(fileno=fd)) as borrowed:
                if borrowed.family == socket.AF_PACKET:
                    _give_room(borrowed)
    except OSError as error:
        _LOG.warning("the switch's packet sockets keep their small buffers, TCP will be slower: %s", error)
    finally:
        os.close(process)
    return found


def _give_room(port: socket.socket) -> None:
    try:
        port.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    except PermissionError:
        # An ordinary user's may be as large as the host allows (socket(7), rmem_max).
        port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)


def _sockets(pid: int) -> list[str]:
    entries = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue  # closed meanwhile
        if target.startswith("socket:"):
            entries.append(f"{fd} {target}")
    return entries


if __name__ == "__main__":
    PacketSockets().enlarge()
