"""What this machine has: the capacity that every node reports, as kind's nodes do, which share their machine too; netem."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cluster.kinds import schema_folder

RUNTIME_VERSION = "mininetes://0.1.0"
RESERVED_BYTES = 100 * 2**20
"""The kubelet's hard eviction threshold, memory.available: not allocatable."""


@dataclass(frozen=True, slots=True)
class Machine:
    """`capacity` by resource name, as quantities; `info` the rest of a node's nodeInfo."""

    capacity: Mapping[str, str]
    allocatable: Mapping[str, str]
    info: Mapping[str, str]


@cache
def this_machine() -> Machine:
    """Read once: it does not change while the process lives."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    disk = shutil.disk_usage("/").total
    common = {"cpu": str(os.cpu_count() or 1), "hugepages-1Gi": "0", "hugepages-2Mi": "0"}
    kibibytes = {"ephemeral-storage": f"{disk // 1024}Ki", "memory": f"{memory // 1024}Ki"}
    left = {**kibibytes, "memory": f"{(memory - RESERVED_BYTES) // 1024}Ki"}
    return Machine({**common, **kibibytes}, {**common, **left}, _info())


@cache
def has_netem() -> bool:
    """Whether the running kernel has netem, found out by using it in a namespace made for the purpose."""
    own_user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    use = ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
    return subprocess.run(["unshare", *own_user, "--net", *use], capture_output=True).returncode == 0


def _info() -> Mapping[str, str]:
    """As the kubelet fills v1.NodeSystemInfo; without what would be other ids for the same machine."""
    version = "v" + schema_folder().name.removeprefix("v").partition("-")[0]
    return {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
        "bootID": _text(Path("/proc/sys/kernel/random/boot_id")),
        "containerRuntimeVersion": RUNTIME_VERSION,
        "kernelVersion": platform.release(),
        "kubeProxyVersion": "",
        "kubeletVersion": version,
        "machineID": _text(Path("/etc/machine-id")),
        "operatingSystem": "linux",
        "osImage": _os_name(),
        "systemUUID": _text(Path("/etc/machine-id")),
    }


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def _text(path: Path) -> str:
    """A machine need not have such a file, a container for instance."""
    return path.read_text().strip() if path.exists() else ""
