"""Questions to a running ovs-vswitchd by its control socket: JSON-RPC, as ovs-appctl asks (ovs-vswitchd(8)).

By the socket itself, through /proc/PID/root of a process in there: a program in the sandbox for every look would cost more
than what it looks at.
"""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

_TIMEOUT_S = 0.5
_TOTAL = re.compile(r"^(\w+)\s.*total: (\d+)$", re.MULTILINE)
_USED = re.compile(r"([\w ]+?):(\d+)")


class NoAnswer(Exception):
    """The switch is not there, or does not answer: it was killed or stopped, say."""


def ask(init_pid: int, command: str) -> str:
    """What `ovs-appctl COMMAND` prints in the sandbox of that PID 1. Raises NoAnswer."""
    directory = Path(f"/proc/{init_pid}/root/run/openvswitch")
    try:
        path = next(iter(sorted(directory.glob("ovs-vswitchd.*.ctl"))), None)
        if path is None:
            raise NoAnswer("there is no ovs-vswitchd")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_TIMEOUT_S)
            client.connect(str(path))
            client.sendall(json.dumps({"id": 0, "method": command, "params": []}).encode())
            return _result(client)
    except OSError as error:
        raise NoAnswer(f"ovs-vswitchd: {error}") from error


def _result(client: socket.socket) -> str:
    text = ""
    while True:
        data = client.recv(1 << 16)
        if not data:
            raise NoAnswer("ovs-vswitchd hung up")
        text += data.decode()
        try:
            return str(json.loads(text)["result"])
        except ValueError:
            continue


def drops(coverage: str) -> int:
    """Packets that the switch dropped, of what coverage/show prints: every counter that says so by its name."""
    return sum(int(total) for name, total in _TOTAL.findall(coverage) if "drop" in name)


def usage(memory: str) -> dict[str, int]:
    """What memory/show prints: "rules" are OpenFlow flows of all bridges, "udpif keys" datapath flows."""
    return {name.strip(): int(count) for name, count in _USED.findall(memory)}
