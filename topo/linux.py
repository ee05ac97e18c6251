"""The system calls that Python's library lacks, by their own names, raising OSError (sections 2 of the manual)."""

from __future__ import annotations

import ctypes
import os
import platform

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 23, 24, 38
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
IN_MODIFY, IN_ATTRIB, IN_NONBLOCK, IN_CLOEXEC = 0x2, 0x4, os.O_NONBLOCK, os.O_CLOEXEC
AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = -100, 0x8000, 1

_libc = ctypes.CDLL(None, use_errno=True)

_M_ARENA_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -3, -1
_MOUNT_SETATTR = 442
"""The same number on every architecture (asm-generic/unistd.h)."""
_PIDFD_GETFD = 438
"""Likewise."""
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int = 0) -> None:
    _check(_libc.setns(fd, kind), "setns")


def mount(source: str, target: str, fs_type: str = "", flags: int = 0, data: str = "") -> None:
    result = _libc.mount(
        source.encode(), target.encode(), fs_type.encode() or None, ctypes.c_ulong(flags), data.encode() or None
    )
    _check(result, f"mount {source} on {target}")


def bind(source: str, target: str, recursive: bool = False) -> None:
    mount(source, target, flags=MS_BIND | (MS_REC if recursive else 0))


def unmount(target: str) -> None:
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"unmount {target}")


def pivot_root(new_root: str, put_old: str) -> None:
    number = _PIVOT_ROOT[platform.machine()]
    _check(_libc.syscall(ctypes.c_long(number), new_root.encode(), put_old.encode()), f"pivot_root {new_root}")


class _MountAttributes(ctypes.Structure):
    _fields_ = [(field, ctypes.c_uint64) for field in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def make_read_only(path: str) -> None:
    """Every mount at and below `path` read-only, other flags as they are (mount_setattr(2), Linux ≥ 5.12)."""
    attributes = _MountAttributes(MOUNT_ATTR_RDONLY, 0, 0, 0)
    result = _libc.syscall(
        ctypes.c_long(_MOUNT_SETATTR),
        ctypes.c_int(AT_FDCWD),
        path.encode(),
        ctypes.c_uint(AT_RECURSIVE),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )
    _check(result, f"make {path} read-only")


def prctl(option: int, value: int = 0) -> int:
    result = int(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))
    _check(result, f"prctl {option}")
    return result


class _SocketFilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def set_seccomp_filter(program: bytes) -> None:
    """Ask this filter, an array of struct sock_filter (8 bytes each), before every system call: seccomp(2)."""
    described = _SocketFilterProgram(len(program) // 8, program)
    result = _libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.byref(described), 0, 0)
    _check(result, "prctl PR_SET_SECCOMP")


def sethostname(name: str) -> None:
    raw = name.encode()
    _check(_libc.sethostname(raw, len(raw)), "sethostname")


def inotify_init1(flags: int) -> int:
    fd = int(_libc.inotify_init1(flags))
    _check(fd, "inotify_init1")
    return fd


def inotify_add_watch(fd: int, path: str, mask: int) -> int:
    watch = int(_libc.inotify_add_watch(fd, path.encode(), ctypes.c_uint32(mask)))
    _check(watch, f"watch {path}")
    return watch


def tune_malloc(most_arenas: int) -> None:
    """So many arenas for malloc, at most, in this process, and blocks of 4 MB and more go back to the kernel as soon as
    they are free, however many there were: mallopt(3). With 128 kB, each answer that held a hundred objects was made of
    new pages, which take longer to get than to fill: half of the API server's page faults during a start."""
    for option, value in ((_M_ARENA_MAX, most_arenas), (_M_MMAP_THRESHOLD, 4 << 20), (_M_TRIM_THRESHOLD, 4 << 20)):
        if _libc.mallopt(option, value) == 0:
            raise OSError(f"mallopt: option {option}, value {value}")


def pidfd_getfd(pidfd: int, fd: int) -> int:
    """A descriptor of another process, as one of this one: pidfd_getfd(2)."""
    result: int = _libc.syscall(_PIDFD_GETFD, pidfd, fd, 0)
    _check(result, f"take descriptor {fd}")
    return result
