"""Become a process of a pod, node or client: its network, its files, its name, few capabilities.

Runs in a child between fork and exec. The child must be single-threaded (setns(2)) and inside the sandbox.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from topo import capabilities, linux, rootfs

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process runs. `netns` is the namespace's name under /run/netns, `scratch` the name of its scratch
    space, `hostname` what uname(2) says, `granted` its capabilities by name."""

    netns: str
    scratch: str
    hostname: str
    granted: frozenset[str]


def prepare_scratch(name: str, etc: Mapping[str, str]) -> None:
    """Make a scratch space and the files of /etc that are its own ("hosts" -> text). Idempotent."""
    base = Path(rootfs.SCRATCH) / name
    for directory in (*rootfs.SCRATCH_DIRECTORIES, "etc"):
        (base / directory).mkdir(parents=True, exist_ok=True)
    (base / "tmp").chmod(0o1777)
    for directory in ("log", "lib", "cache", "tmp"):
        (base / "var" / directory).mkdir(exist_ok=True)
    if not (base / "var/run").is_symlink():
        (base / "var/run").symlink_to("/run")
    for file, text in etc.items():
        (base / "etc" / file).write_text(text)


def remove_scratch(name: str) -> None:
    """Remove a scratch space. Idempotent."""
    base = Path(rootfs.SCRATCH) / name
    if base.exists():
        shutil.rmtree(base)


def enter(place: Place) -> None:
    """Make the calling process one of `place`, ready to exec. Raises FileNotFoundError where the place is gone."""
    netns_fd = os.open(f"{rootfs.NETNS}/{place.netns}", os.O_RDONLY | os.O_CLOEXEC)
    root_fd = os.open(rootfs.POD_ROOT_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
    linux.setns(netns_fd, linux.CLONE_NEWNET)
    linux.setns(root_fd, linux.CLONE_NEWNS)
    os.close(netns_fd)
    os.close(root_fd)
    linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWUTS)
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    base = f"{rootfs.POD_SCRATCH}/{place.scratch}"
    for directory in rootfs.SCRATCH_DIRECTORIES:
        linux.bind(f"{base}/{directory}", f"/{directory}")
    for file in os.listdir(f"{base}/etc"):
        linux.bind(f"{base}/etc/{file}", f"/etc/{file}")
    linux.unmount(rootfs.POD_SCRATCH)
    linux.sethostname(place.hostname)
    os.chdir("/")
    capabilities.keep_only(place.granted)


def environment(place: Place) -> dict[str, str]:
    """What a process there finds in its environment besides what its container says."""
    return {"PATH": PATH, "HOME": "/root", "HOSTNAME": place.hostname, "TERM": os.environ.get("TERM", "dumb")}
