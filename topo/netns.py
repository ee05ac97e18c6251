"""Network namespaces from the inside: step into one, make a socket there, step back.

A socket stays in the namespace in which it was made, so one thread can own sockets of a thousand pods. Nothing may
be awaited between stepping in and stepping back.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from topo import linux

_OWN = "/proc/thread-self/ns/net"


def open_namespace(path: str) -> int:
    """A descriptor of the namespace pinned at `path`; the caller closes it. Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def inside(fd: int) -> Iterator[None]:
    """The calling thread is in the network namespace `fd` for the length of the block. Raises OSError.

    Python < 3.12 has no os.setns, hence topo.linux.
    """
    own = open_namespace(_OWN)
    try:
        linux.setns(fd, linux.CLONE_NEWNET)
        try:
            yield
        finally:
            linux.setns(own, linux.CLONE_NEWNET)
    finally:
        os.close(own)


@contextmanager
def visit(path: str | None) -> Iterator[None]:
    """The same by path; None stays where the thread is. Raises OSError."""
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
