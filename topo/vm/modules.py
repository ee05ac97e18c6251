"""Which files a kernel module takes, in which order: modules.dep(5), as depmod(8) writes it."""

from __future__ import annotations

import gzip
import lzma
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from cluster.problems import MachineError

_SUFFIXES = (".ko", ".ko.xz", ".ko.gz", ".ko.zst")


class Modules:
    """The modules of one kernel, below `folder` (…/lib/modules/VERSION)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, name: str) -> bool:
        """Whether the kernel can have it: as a module, or built in."""
        return _plain(name) in self._files or _plain(name) in self._built_in

    def in_order(self, names: Iterable[str]) -> tuple[Path, ...]:
        """The files to load for these modules, each after those that it needs. Raises MachineError: one is missing."""
        files: dict[str, None] = {}
        for name in names:
            if _plain(name) in self._built_in:
                continue
            file = self._files.get(_plain(name))
            if file is None:
                raise MachineError(
                    f"the kernel in {self.folder} has no module {name!r}, which the virtual machine needs; "
                    "fetch one that has: mininetes vm --fetch"
                )
            # modules.dep names what a module needs from the nearest to the furthest.
            files.update(dict.fromkeys((*reversed(self._needs[file]), file)))
        return tuple(self.folder / file for file in files)

    @cached_property
    def _needs(self) -> Mapping[str, tuple[str, ...]]:
        lines = (self.folder / "modules.dep").read_text().splitlines()
        return {file: tuple(needs.split()) for file, _, needs in (line.partition(":") for line in lines)}

    @cached_property
    def _files(self) -> Mapping[str, str]:
        return {_name(file): file for file in self._needs}

    @cached_property
    def _built_in(self) -> frozenset[str]:
        return frozenset(map(_name, (self.folder / "modules.builtin").read_text().split()))


def content(file: Path) -> bytes:
    """A module as the kernel takes it, whatever its file is compressed with. Raises MachineError: no program for that."""
    packed = file.read_bytes()
    if file.suffix == ".xz":
        return lzma.decompress(packed)
    if file.suffix == ".gz":
        return gzip.decompress(packed)
    if file.suffix == ".zst":
        if shutil.which("zstd") is None:
            raise MachineError(f"{file} is compressed with zstd; run: sudo apt-get install zstd")
        return subprocess.run(["zstd", "-dcq"], input=packed, check=True, capture_output=True).stdout
    return packed


def _name(file: str) -> str:
    base = file.rpartition("/")[2]
    suffix = next((suffix for suffix in _SUFFIXES if base.endswith(suffix)), "")
    return _plain(base.removesuffix(suffix))


def _plain(name: str) -> str:
    """The kernel takes - and _ in a module's name for the same."""
    return name.replace("-", "_")
