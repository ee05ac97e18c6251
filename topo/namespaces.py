"""Network namespaces that stay: made with one system call, pinned under /run/netns (ip-netns(8)), visited.

Pins, not processes, keep them, so an agent that is killed finds every pod where it was.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from topo import linux, netlink, rootfs

LOOPBACK, LOOPBACK_INDEX = "lo", 1
_OWN = "/proc/thread-self/ns/net"
_SYSCTL = Path("/proc/sys/net")


def pinned() -> set[str]:
    """The names of all pinned namespaces."""
    return set(os.listdir(rootfs.NETNS))


def open_pinned(name: str) -> int:
    return os.open(f"{rootfs.NETNS}/{name}", os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def visit(fd: int | None) -> Iterator[None]:
    """Be in another namespace for a while; None: stay. Only this thread goes there."""
    if fd is None:
        yield
        return
    home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        linux.setns(fd, linux.CLONE_NEWNET)
        try:
            yield
        finally:
            linux.setns(home, linux.CLONE_NEWNET)
    finally:
        os.close(home)


@contextmanager
def visit_pinned(name: str) -> Iterator[int]:
    """Be in a pinned namespace for a while; yields its descriptor."""
    fd = open_pinned(name)
    try:
        with visit(fd):
            yield fd
    finally:
        os.close(fd)


@contextmanager
def home() -> Iterator[int]:
    """A descriptor of the namespace that the caller is in."""
    fd = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def made(names: Iterable[str]) -> Iterator[Iterator[tuple[str, int]]]:
    """Make and pin a namespace for each name, one at a time: yields (name, fd) while in it. All is down in there.

    The caller's thread is back home when the context ends. A name that is pinned already is visited as it is.
    """
    home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)

    def each() -> Iterator[tuple[str, int]]:
        for name in names:
            fd, _ = _make(name)
            try:
                yield name, fd
            finally:
                os.close(fd)

    try:
        yield each()
    finally:
        linux.setns(home, linux.CLONE_NEWNET)
        os.close(home)


@contextmanager
def all_made(names: Iterable[str]) -> Iterator[list[tuple[int, bool]]]:
    """Make and pin a namespace for each name: yields their descriptors, in order, and whether each is new (down, and
    with nothing in it). The caller's thread is in any of them, may enter (`linux.setns`) others, and is back home when
    the context ends."""
    with home() as at_home:
        result: list[tuple[int, bool]] = []
        try:
            for name in names:
                result.append(_make(name))
            yield result
        finally:
            linux.setns(at_home, linux.CLONE_NEWNET)
            for fd, _ in result:
                os.close(fd)


def _make(name: str) -> tuple[int, bool]:
    """Be in the namespace of that name; its descriptor, and whether it was made for that."""
    path = f"{rootfs.NETNS}/{name}"
    fd = os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o444)
    if _is_namespace(fd):
        linux.setns(fd, linux.CLONE_NEWNET)
        return fd, False
    os.close(fd)
    linux.unshare(linux.CLONE_NEWNET)
    linux.bind(_OWN, path)
    return open_pinned(name), True


def _is_namespace(fd: int) -> bool:
    """Whether this is a namespace, and not the empty file of an agent that was killed before it pinned one."""
    return os.fstat(fd).st_dev == _device_of_namespaces()


@cache
def _device_of_namespaces() -> int:
    return os.stat(_OWN).st_dev


def remove(name: str) -> None:
    """Unpin a namespace; the kernel removes it with its last process. Idempotent."""
    path = f"{rootfs.NETNS}/{name}"
    if os.path.exists(path):
        linux.unmount(path)
        os.unlink(path)


def interface_index(name: str, fd: int | None) -> int | None:
    """An interface's index in a namespace (None: the caller's), or None where there is no such interface."""
    with visit(fd):
        try:
            return socket.if_nametoindex(name)
        except OSError:
            return None


def raise_interface(name: str, fd: int | None) -> None:
    """Set an interface of a namespace (None: the caller's) up."""
    with visit(fd), netlink.Socket() as own:
        own.run([netlink.set_link(0, name=name, up=True)])


def set_sysctls(settings: Iterable[tuple[str, str]]) -> None:
    """Write below /proc/sys/net in the namespace that the caller is in: ("ipv4/ip_forward", "1")."""
    for path, value in settings:
        (_SYSCTL / path).write_text(value)
