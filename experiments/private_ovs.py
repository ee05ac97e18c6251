"""An Open vSwitch of one's own, with the settings of a testbed's, in a mount namespace with a fresh /run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

_RUN = Path("/run/openvswitch")
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
_SETTINGS = {"userspace-tso-enable": "true", "n-handler-threads": "1", "n-revalidator-threads": "1"}
_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


def start() -> None:
    """Start both daemons; ovs-vswitchd may still be on its way when this returns. They end with the namespace."""
    _RUN.mkdir()
    database, remote = str(_RUN / "conf.db"), f"unix:{_RUN}/db.sock"
    row = {"other_config": ["map", list(_SETTINGS.items())]}
    insert = ["Open_vSwitch", {"op": "insert", "table": "Open_vSwitch", "row": row}]
    _run("ovsdb-tool", "create", database, _SCHEMA)
    _run("ovsdb-tool", "transact", database, json.dumps(insert))
    _run("ovsdb-server", database, f"--remote=p{remote}", "--pidfile", "--detach")
    # Not detached: that would wait until it has read its configuration, and there is other work meanwhile.
    arguments = ["ovs-vswitchd", remote, "--enable-dummy", "--pidfile", "-vconsole:off"]
    subprocess.Popen(arguments, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def datapath_type() -> str:
    """As a testbed has it: the kernel's where its module is, else userspace without tap devices."""
    return "system" if Path("/sys/module/openvswitch").exists() else "dummy"


def transact(commands: Iterable[Sequence[str]]) -> None:
    """ovs-vsctl commands in one transaction; returns when the switch has done them."""
    _run("ovs-vsctl", "--timeout=120", *(word for command in commands for word in ("--", *command)))


def enlarge_buffers() -> None:
    """Give the ports' sockets the room that a testbed's have."""
    if datapath_type() != "system":
        _run(sys.executable, "-m", "topo.packet_sockets")


def _run(*argv: str) -> None:
    subprocess.run(argv, env=_environment(), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": _PATH}
