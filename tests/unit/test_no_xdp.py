"""What the filter of pods' processes forbids, tried in a process that has it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FORBID = """
import ctypes, errno, mmap, socket
from topo import linux, no_xdp
linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
no_xdp.forbid()
"""
SOCKET = """
try:
    socket.socket({family}, {kind}).close()
except OSError as error:
    print(errno.errorcode[error.errno])
else:
    print("made")
"""
IO_URING = """
libc = ctypes.CDLL(None, use_errno=True)
assert libc.syscall(425, 1, None) == -1
print(errno.errorcode[ctypes.get_errno()])
"""
CALL_OF_I386 = """
# push rbx; mov eax, CALL; mov ebx, FIRST; mov ecx, 3; xor edx, edx; int 0x80; pop rbx; ret
call, first = (number.to_bytes(4, "little") for number in ({call}, {first}))
code = b"\\x53\\xb8" + call + b"\\xbb" + first + b"\\xb9\\3\\0\\0\\0\\x31\\xd2\\xcd\\x80\\x5b\\xc3"
page = mmap.mmap(-1, len(code), prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
print(errno.errorcode[-ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()])
"""


def tried(what: str) -> str:
    done = subprocess.run([sys.executable, "-c", FORBID + what], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
    return done.stdout.strip()


def test_there_are_no_xdp_sockets() -> None:
    assert tried(SOCKET.format(family=44, kind="socket.SOCK_RAW")) == "EAFNOSUPPORT"


@pytest.mark.parametrize(
    ("family", "kind"), [("AF_INET", "STREAM"), ("AF_INET6", "DGRAM"), ("AF_UNIX", "STREAM"), ("AF_NETLINK", "RAW")]
)
def test_there_are_all_others(family: str, kind: str) -> None:
    assert tried(SOCKET.format(family=f"socket.{family}", kind=f"socket.SOCK_{kind}")) == "made"


def test_there_is_no_io_uring_to_make_one_with() -> None:
    assert tried(IO_URING) == "ENOSYS"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the instructions are those of x86")
@pytest.mark.parametrize(
    ("call", "first", "answer"), [(359, 44, "EAFNOSUPPORT"), (102, 1, "ENOSYS")], ids=["socket", "socketcall"]
)
def test_nor_are_there_by_the_calls_of_32_bit_programs(call: int, first: int, answer: str) -> None:
    """Where the kernel has no such calls, it ends the process."""
    assert tried(CALL_OF_I386.format(call=call, first=first)) in (answer, "ENOSYS")
