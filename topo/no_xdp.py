"""No AF_XDP sockets: what they send goes to the driver past every hook of the interface, so past the pod's guard
(net/xdp/xsk.c, xsk_generic_xmit). CAP_NET_RAW is enough to make one; without NET_ADMIN there is nothing else to do with it.

A seccomp filter (seccomp(2)), in classic BPF. It also answers that there is no io_uring, as container runtimes' own
filters do, because that makes sockets without a system call that a filter sees; and no socketcall(2) of 32-bit programs,
whose arguments it cannot see (since Linux 4.3 there is socket(2) for them).
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from topo import linux

AF_XDP = 44
_IO_URING_SETUP = 425
"""The same number on every architecture (asm-generic/unistd.h)."""
_X32_BIT = 0x4000_0000
"""Of a system call's number, for x32 programs."""


@dataclass(frozen=True, slots=True)
class _Abi:
    """One way to call the kernel: what seccomp calls it (linux/audit.h), and the numbers of two of its calls."""

    audit_arch: int
    socket: int
    socketcall: int | None = None


_ABIS: Mapping[str, Sequence[_Abi]] = {
    "x86_64": (_Abi(0xC000_003E, socket=41), _Abi(0x4000_0003, socket=359, socketcall=102)),
    "aarch64": (_Abi(0xC000_00B7, socket=198), _Abi(0x4000_0028, socket=281)),
}

# linux/bpf_common.h, linux/seccomp.h
_LOAD, _JUMP_EQUAL, _AND, _RETURN = 0x20, 0x15, 0x54, 0x06
_ALLOW, _ERRNO = 0x7FFF_0000, 0x0005_0000
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16
"""Offsets in struct seccomp_data, of the lower half of a 64-bit argument (all machines here are little-endian)."""
_Instruction = tuple[int, int, int, int]
"""(code, jump if true, jump if false, k) of linux/filter.h."""


def forbid() -> None:
    """For this process and all that come of it. Irrevocable; takes PR_SET_NO_NEW_PRIVS."""
    linux.set_seccomp_filter(program(platform.machine()))


def program(machine: str) -> bytes:
    """The filter for this machine, as an array of struct sock_filter."""
    instructions: list[_Instruction] = []
    for abi in _ABIS[machine]:
        block = _of_abi(abi)
        instructions += [(_LOAD, 0, 0, _ARCH), (_JUMP_EQUAL, 0, len(block), abi.audit_arch), *block]
    instructions.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *each) for each in instructions)


def _of_abi(abi: _Abi) -> list[_Instruction]:
    absent = [_IO_URING_SETUP] + ([abi.socketcall] if abi.socketcall is not None else [])
    block = [(_LOAD, 0, 0, _NUMBER), (_AND, 0, 0, ~_X32_BIT & 0xFFFF_FFFF)]
    for number in absent:
        block += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    block += [(_JUMP_EQUAL, 0, 3, abi.socket), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
    block += [(_JUMP_EQUAL, 0, 1, AF_XDP), (_RETURN, 0, 0, _ERRNO | errno.EAFNOSUPPORT)]
    return [*block, (_RETURN, 0, 0, _ALLOW)]
