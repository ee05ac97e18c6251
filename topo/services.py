"""The programs of a testbed besides its pods, as data: what starts them and what must be there before they start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cluster.run_directory import API_TLS_SOCKET, RUN_VARIABLE, SEED
from topo import rootfs

OVS_RUN = "/run/openvswitch"
OVS_DATABASE = f"{OVS_RUN}/conf.db"
OVS_SOCKET = f"{OVS_RUN}/db.sock"
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


@dataclass(frozen=True, slots=True)
class Service:
    """A program that init keeps running: the command `argv`, or, where that names a module of ours, that module in a
    fork of init. It is started once every path in `needs` exists."""

    name: str
    argv: tuple[str, ...]
    needs: tuple[str, ...] = ()
    module: bool = False
    inherits: tuple[int, ...] = ()
    """Descriptors of init that are open in it too."""
    before: Callable[[], None] | None = None
    """What its process does first."""


def _python(
    name: str, module: str, *arguments: str, needs: tuple[str, ...] = (), inherits: tuple[int, ...] = ()
) -> Service:
    return Service(name, (module, *arguments), needs, module=True, inherits=inherits)


def all_services(api_fd: int, mapped_fds: tuple[int, ...] = ()) -> tuple[Service, ...]:
    """In the order of start. `api_fd`: the listening socket on the host, which outlives the API server; `mapped_fds`:
    those of the ports that lead to nodes."""
    mappings = _python("port-mappings", "topo.port_mappings", *map(str, mapped_fds), inherits=mapped_fds)
    return (
        Service("ovsdb-server", ("ovsdb-server", OVS_DATABASE, f"--remote=punix:{OVS_SOCKET}", "--pidfile"),
                before=prepare_ovs_database),
        _python(
            "api", "cluster.server", "--seed", f"{rootfs.RUN}/{SEED}", "--tls-fd", str(api_fd), inherits=(api_fd,)
        ),
        _python("agent", "topo.agent"),
        # Without a tap device for every bridge: its local port is not used here, and /dev/net/tun need not be
        # there (docs/decisions/002-userspace-datapath.md).
        Service("ovs-vswitchd", ("ovs-vswitchd", f"unix:{OVS_SOCKET}", "--enable-dummy", "--pidfile"), (OVS_SOCKET,)),
        _python("controller", "controller.app"),
        _python("responder", "topo.responder"),
        # Last, and when the others have started: nothing of a cluster's start waits for it.
        _python("kubelet", "topo.kubelet", needs=(f"{rootfs.RUN}/{API_TLS_SOCKET}",)),
        *((mappings,) if mapped_fds else ()),
    )


def environment() -> dict[str, str]:
    """What every service finds in its environment."""
    return {
        **os.environ,
        RUN_VARIABLE: rootfs.RUN,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }


def prepare_ovs_database() -> None:
    """An empty configuration database, with what the switch reads only when it starts."""
    if Path(OVS_DATABASE).exists():
        return
    settings = {"userspace-tso-enable": "true", "n-handler-threads": "1", "n-revalidator-threads": "1"}
    row = {"other_config": ["map", list(settings.items())]}
    transaction = ["Open_vSwitch", {"op": "insert", "table": "Open_vSwitch", "row": row}]
    tool = shutil.which("ovsdb-tool", path=environment()["PATH"]) or "ovsdb-tool"
    unfinished = f"{OVS_DATABASE}.new"
    Path(unfinished).unlink(missing_ok=True)
    subprocess.run([tool, "create", unfinished, _SCHEMA], check=True)
    subprocess.run([tool, "transact", unfinished, json.dumps(transaction)], check=True, stdout=subprocess.DEVNULL)
    os.rename(unfinished, OVS_DATABASE)
