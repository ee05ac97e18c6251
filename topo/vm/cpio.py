"""An archive in the "newc" form, as the kernel unpacks it into its first root: cpio(5), Documentation/driver-api/early-userspace/buffer-format.rst."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass

_MAGIC = b"070701"
_END = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, or with the mode of a directory one of those. `path` has no leading slash; its parents come before it."""

    path: str
    content: bytes = b""
    mode: int = stat.S_IFREG | 0o644


def directory(path: str) -> Entry:
    return Entry(path, mode=stat.S_IFDIR | 0o755)


def program(path: str, content: bytes) -> Entry:
    return Entry(path, content, stat.S_IFREG | 0o755)


def archive(entries: Iterable[Entry]) -> bytes:
    """The same entries, the same bytes: owners are root, times are 0."""
    packed = bytearray()
    for inode, entry in enumerate((*entries, Entry(_END, mode=0)), 1):
        name = entry.path.encode() + b"\0"
        links = 2 if stat.S_ISDIR(entry.mode) else 1
        # c_ino mode uid gid nlink mtime filesize, the device and its kind (four), namesize, check
        fields = (inode, entry.mode, 0, 0, links, 0, len(entry.content), 0, 0, 0, 0, len(name), 0)
        packed += _MAGIC + b"".join(b"%08X" % field for field in fields) + name
        _align(packed)
        packed += entry.content
        _align(packed)
    return bytes(packed)


def _align(packed: bytearray) -> None:
    packed += bytes(-len(packed) % 4)
