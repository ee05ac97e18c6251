"""On what a measurement was taken: versions of programs, and the machine. For results.json."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from experiments import private_ovs

_VERSION = re.compile(r"\d+(?:\.\d+)+")
_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


def versions() -> dict[str, str | None]:
    """None for what is not there. Ryu is os-ken where that is what runs the controller."""
    return {
        "mininetes": _package("mininetes"),
        "open_vswitch": _program("ovs-vswitchd"),
        "ryu": _package("ryu") or _package("os-ken"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "iperf3": _program("iperf3"),
    }


def machine() -> dict[str, str | int]:
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "processors": os.cpu_count() or 1,
        "model": model[1] if model else platform.machine(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "datapath": "kernel" if private_ovs.datapath_type() == "system" else "userspace",
    }


def _package(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _program(name: str) -> str | None:
    """The first thing that looks like a version in what `name --version` prints."""
    path = shutil.which(name, path=_PATH)
    if path is None:
        return None
    found = _VERSION.search(subprocess.run((path, "--version"), capture_output=True, text=True).stdout)
    return found[0] if found else None
