"""The virtual machine's first process once its root is there: devices, modules, network, then the command.

Nothing of the host's configuration starts in here, so it makes what a distribution's start-up would. Standard library
only, and little of it: without virtualisation each import takes tenths of a second.
"""

from __future__ import annotations

import os
import subprocess
import time
import traceback
from pathlib import Path

from topo import linux
from topo.vm import guest_run, protocol

MODULES = (
    "virtio_net", "openvswitch", "vport_vxlan", "vport_geneve", "vxlan", "geneve", "veth", "macvlan", "bridge",
    "sch_netem", "sch_htb", "sch_tbf", "sctp", "nf_tables",
)  # fmt: skip
"""What a testbed uses. What is missing here the kernel loads when it is asked for, in the host's namespaces."""
_MOUNTS = (
    ("devpts", "/dev/pts", "devpts", "mode=620,ptmxmode=666"),
    ("tmpfs", "/dev/shm", "tmpfs", "mode=1777"),
    ("cgroup2", "/sys/fs/cgroup", "cgroup2", ""),
)
_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
_INTERFACE = "eth0"
_NETWORK = f"""link set lo up
link set {_INTERFACE} up
address add 10.0.2.15/24 dev {_INTERFACE}
route add default via 10.0.2.2
"""
_NAME_SERVER = "nameserver 10.0.2.3\n"
"""These addresses are those of QEMU's user networking."""
_SYSCTLS = {
    # The host's connections to a forwarded port are for the loopback, where the API server listens.
    f"net/ipv4/conf/{_INTERFACE}/route_localnet": "1",
    "kernel/unprivileged_userns_clone": "1",
}


def main() -> None:
    """Never returns: the host ends the machine once it knows the command's exit status."""
    ports = guest_run.open_ports()
    try:
        _prepare()
        guest_run.serve(ports)
    except BaseException:
        os.write(ports[protocol.CONTROL], protocol.encode(protocol.LACKS, traceback.format_exc()))
    while True:
        time.sleep(3600)


def _prepare() -> None:
    for source, target, kind, options in _MOUNTS:
        if target.startswith("/dev"):
            os.makedirs(target, exist_ok=True)
        linux.mount(source, target, kind, linux.MS_NOSUID, options)
    for name, target in _LINKS.items():
        os.symlink(target, f"/dev/{name}")
    linux.sethostname("mininetes-vm")
    os.makedirs("/run/lock", exist_ok=True)
    _run(["modprobe", "--all", *MODULES])
    _run(["ip", "-batch", "-"], _NETWORK)
    for key, value in _SYSCTLS.items():
        path = Path("/proc/sys", key)
        if path.exists():
            path.write_text(value)
    resolv_conf = Path("/etc/resolv.conf")
    resolv_conf.unlink(missing_ok=True)
    resolv_conf.write_text(_NAME_SERVER)


def _run(command: list[str], text: str = "") -> None:
    ran = subprocess.run(command, input=text, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"{' '.join(command)} failed in the virtual machine: {ran.stderr.strip()}")


if __name__ == "__main__":
    main()
