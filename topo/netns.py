"""Network namespaces from the inside: step into one, make a socket there, step back.

A socket stays in the namespace in which it was made, so one thread can own sockets of a thousand pods. Nothing may
be awaited between stepping in and stepping back.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from topo.namespaces import visit as inside

__all__ = ["inside", "open_namespace", "socket_at", "socket_in", "visit"]


def open_namespace(path: str) -> int:
    """A descriptor of the namespace pinned at `path`; the caller closes it. Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def visit(path: str | None) -> Iterator[None]:
    """The calling thread is in the namespace pinned at `path` for the length of the block. None: where it is anyway.
    Raises OSError."""
    if path is None:
        yield
        return
    fd = open_namespace(path)
    try:
        with inside(fd):
            yield
    finally:
        os.close(fd)


def socket_in(netns_fd: int, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """A socket that belongs to the namespace `netns_fd`. Raises OSError."""
    with inside(netns_fd):
        return socket.socket(family, kind, protocol)


def socket_at(path: str | None, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """A socket that belongs to the namespace pinned at `path`, or to the caller's for None. Raises OSError."""
    with visit(path):
        return socket.socket(family, kind, protocol)
