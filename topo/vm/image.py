"""Where the virtual machine's kernel, its modules and busybox are on this machine."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster.problems import MachineError
from topo.vm.modules import Modules

FOLDER_VARIABLE = "MININETES_VM_DIR"
FETCH = "mininetes vm --fetch"
BOOT_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
"""What the guest needs before it has its root."""
_EVERYBODYS, _MACHINES_OWN = Path("/var/cache/mininetes/vm"), Path("/")
_ELF_INTERPRETER = re.compile(rb"/lib(64|32|x32)?/ld-[\w.-]*\.so\.\d")


@dataclass(frozen=True, slots=True)
class Image:
    version: str
    kernel: Path
    modules: Modules
    busybox: Path


def fetched_folder() -> Path:
    """Where this user's `--fetch` puts a kernel: laid out as a root is, with boot/, lib/modules/ and bin/."""
    if FOLDER_VARIABLE in os.environ:
        return Path(os.environ[FOLDER_VARIABLE])
    if os.geteuid() == 0:
        return _EVERYBODYS
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "mininetes" / "vm"


def find() -> Image:
    """The newest kernel that can be used: this user's, everybody's, or this machine's own. Raises MachineError."""
    roots = list(dict.fromkeys((fetched_folder(), _EVERYBODYS, _MACHINES_OWN)))
    busybox = next((file for file in _busyboxes(roots) if _is_static(file)), None)
    if busybox is None:
        raise MachineError(f"the virtual machine needs a busybox without libraries (package busybox-static); run: {FETCH}")
    reasons: list[str] = []
    for root in roots:
        for kernel in sorted(_kernels(root), key=_numbers, reverse=True):
            version = kernel.name.removeprefix("vmlinuz-")
            modules = Modules(root / "lib" / "modules" / version)
            reason = _not_usable(kernel, modules)
            if reason is None:
                return Image(version, kernel, modules, busybox)
            reasons.append(reason)
    tried = "".join(f"\n  {reason}" for reason in reasons)
    raise MachineError(f"there is no kernel for a virtual machine in {', '.join(map(str, roots))}; run: {FETCH}{tried}")


def is_there() -> bool:
    """Whether `find` finds one."""
    try:
        find()
    except MachineError:
        return False
    return True


def _kernels(root: Path) -> Iterator[Path]:
    try:
        yield from (root / "boot").glob("vmlinuz-*")
    except PermissionError:
        return


def _numbers(kernel: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", kernel.name)]


def _not_usable(kernel: Path, modules: Modules) -> str | None:
    """Why this kernel cannot be the guest's; None: it can."""
    for file in (kernel, modules.folder / "modules.dep", modules.folder / "modules.builtin"):
        if not os.access(file, os.R_OK):
            return f"{kernel}: {file} {'may not be read' if file.exists() else 'is not there'}"
    missing = [name for name in BOOT_MODULES if not modules.has(name)]
    return f"{kernel}: it has no module {', '.join(missing)}" if missing else None


def _busyboxes(roots: list[Path]) -> Iterator[Path]:
    yield from (root / "bin" / "busybox" for root in roots)
    installed = shutil.which("busybox")
    if installed is not None:
        yield Path(installed)


def _is_static(file: Path) -> bool:
    """Whether that program is there and names no program that loads its libraries (ELF, PT_INTERP)."""
    if not os.access(file, os.R_OK | os.X_OK):
        return False
    with open(file, "rb") as program:
        return _ELF_INTERPRETER.search(program.read(4096)) is None
