"""The folders of the host that the guest sees, over 9p: everything to read, one to write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.problems import MachineError


@dataclass(frozen=True, slots=True)
class Share:
    """`path`: where the folder is on the host, and in the guest."""

    tag: str
    path: str
    writable: bool


ROOT = Share("root", "/", writable=False)


def arguments(shares: Sequence[Share]) -> Iterator[str]:
    """For QEMU's command line."""
    for share in shares:
        # Files of one number on two of the host's file systems are not the same file.
        options = f"local,id={share.tag},path={_escaped(share.path)},security_model=none,multidevs=remap"
        yield from ("-fsdev", options if share.writable else f"{options},readonly=on")
        yield from ("-device", f"virtio-9p-pci,fsdev={share.tag},mount_tag={share.tag}")


def _escaped(path: str) -> str:
    """In QEMU's options a comma ends a value, and two are one."""
    return path.replace(",", ",,")


@contextmanager
def results(folder: Path) -> Iterator[Share]:
    """What the guest writes below `folder` is the host's; one that was made for it and stayed empty is removed again."""
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"the results folder {folder} cannot be made: {error.strerror}; choose another: --results") from error
    try:
        yield Share("results", str(folder.resolve()), writable=True)
    finally:
        if made and not any(folder.iterdir()):
            folder.rmdir()
