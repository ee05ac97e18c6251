"""Fetch Debian's kernel, unpacked into a folder and not installed: any user may, and the host's kernel stays as it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cluster.problems import MachineError
from topo.vm import image

KERNEL_PACKAGE, BUSYBOX_PACKAGE = "linux-image-amd64", "busybox-static"
_PROGRAMS = {"apt-get": "apt", "apt-cache": "apt", "dpkg-deb": "dpkg", "depmod": "kmod"}
_SOFTWARE = "/usr/sbin:/sbin"
_DEPENDS = re.compile(r"^\s*Depends: (linux-image-\S+)$", re.MULTILINE)


def fetch(folder: Path) -> str:
    """Put the newest kernel that apt knows into `folder`; its version. What was there before is replaced."""
    path = f"{os.environ.get('PATH', os.defpath)}:{_SOFTWARE}"
    for program, its_package in _PROGRAMS.items():
        if shutil.which(program, path=path) is None:
            raise MachineError(f"to fetch a kernel, the program {program!r} is needed; run: sudo apt-get install {its_package}")
    kernel = kernel_package(_run(["apt-cache", "depends", KERNEL_PACKAGE], path))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as fresh:
        root = Path(fresh, "root")
        _run(["apt-get", "download", "-q", kernel, BUSYBOX_PACKAGE], path, cwd=fresh)
        for package in Path(fresh).glob("*.deb"):
            _run(["dpkg-deb", "--extract", str(package), str(root)], path)
        version = kernel.removeprefix("linux-image-")
        _run(["depmod", "--basedir", str(root), version], path)
        shutil.rmtree(root / "usr", ignore_errors=True)  # documentation
        if folder.exists():
            folder.rename(Path(fresh, "old"))
        root.rename(folder)
    folder.chmod(0o755)
    return version


def kernel_package(dependencies: str) -> str:
    """The package with the kernel proper, of what `apt-cache depends` prints about the package that follows it."""
    found = _DEPENDS.search(dependencies)
    if found is None:
        raise MachineError(
            f"apt knows no {KERNEL_PACKAGE}, which Debian has; run: sudo apt-get update. Elsewhere, unpack the packages of "
            f"any kernel with 9p, overlay and openvswitch into a folder, and name that in {image.FOLDER_VARIABLE}"
        )
    return found[1]


def _run(command: Sequence[str], path: str, cwd: str | None = None) -> str:
    """Its output. Raises MachineError with what it said when it failed."""
    environment = {**os.environ, "PATH": path, "LC_ALL": "C"}
    ran = subprocess.run(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if ran.returncode:
        raise MachineError(f"{' '.join(command)} failed: {ran.stderr.strip() or ran.stdout.strip()}")
    return ran.stdout
