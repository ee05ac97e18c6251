"""QEMU: its command line, and a process that lives no longer than the caller."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from cluster.problems import MachineError
from topo import linux
from topo.confine import PATH
from topo.vm import initramfs, protocol, shares
from topo.vm.image import Image
from topo.vm.initramfs import Start
from topo.vm.shares import Share

PROGRAM, PACKAGE = "qemu-system-x86_64", "qemu-system-x86"
KVM, EMULATION = "kvm", "tcg"
_ACCELERATORS = {KVM: ("-accel", "kvm", "-cpu", "host"), EMULATION: ("-accel", "tcg,thread=multi", "-cpu", "max")}
_KERNEL_ARGUMENTS = "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off net.ifnames=0"
"""A kernel that gives up ends QEMU (panic, and -no-reboot). Nobody but the user is in there: no mitigations."""
_SHOWN_LINES = 15


@dataclass(frozen=True, slots=True)
class Forward:
    """A port of the host's loopback that leads to the same port of the guest's."""

    port: int


@dataclass(frozen=True, slots=True)
class Machine:
    processors: int
    memory_mib: int
    shares: Sequence[Share]
    forwards: Sequence[Forward] = ()


_GUESTS_PROGRAMS = {"modprobe": "kmod", "ip": "iproute2"}
"""Of the host, for the guest's first process."""


def check() -> None:
    """Raise MachineError where there is no QEMU for this processor, or not what starts the guest."""
    if platform.machine() != "x86_64":
        raise MachineError(f"mininetes vm has a kernel for x86_64 only, and this machine is {platform.machine()}")
    for program, package in {PROGRAM: PACKAGE, **_GUESTS_PROGRAMS}.items():
        if shutil.which(program, path=PATH) is None:
            raise MachineError(f"the program {program!r} is not there; run: sudo apt-get install {package}")


def command_line(machine: Machine, kernel: str, initramfs_file: str, accelerator: str, ports: Sequence[int]) -> list[str]:
    """`ports`: for each of protocol.PORTS, the descriptor of a connected socket."""
    forwards = "".join(
        # To an address of the guest's loopback, which its kernel takes (route_localnet in `guest`).
        f",hostfwd=tcp:127.0.0.1:{forward.port}-127.0.0.1:{forward.port}" for forward in machine.forwards
    )
    virtio = [
        argument
        for number, (name, fd) in enumerate(zip(protocol.PORTS, ports, strict=True), 1)
        for argument in ("-chardev", f"socket,id={name},fd={fd}",
                         "-device", f"virtserialport,nr={number},chardev={name},name={name}")
    ]  # fmt: skip
    return [
        PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-machine", "q35", *_ACCELERATORS[accelerator],
        "-smp", str(machine.processors), "-m", str(machine.memory_mib),
        "-kernel", kernel, "-initrd", initramfs_file, "-append", _KERNEL_ARGUMENTS,
        "-serial", "stdio",
        "-netdev", f"user,id=outside{forwards}", "-device", "virtio-net-pci,netdev=outside,romfile=",
        *shares.arguments(machine.shares),
        "-device", "virtio-serial-pci", *virtio,
    ]  # fmt: skip


class Running:
    """A started QEMU: its process, and a socket for each of protocol.PORTS.

    No file of it is anywhere, and the kernel ends it when this process ends, however it does.
    """

    def __init__(self, machine: Machine, image: Image, start: Start, accelerator: str) -> None:
        self.accelerator = accelerator
        self.ports: dict[str, socket.socket] = {}
        self._stack = ExitStack()
        with ExitStack() as handed:
            self._console = self._stack.enter_context(tempfile.TemporaryFile())
            archive = os.memfd_create("initramfs")
            handed.callback(os.close, archive)
            os.write(archive, initramfs.build(image, machine.shares, start))
            theirs = []
            for name in protocol.PORTS:
                ours, other = socket.socketpair()
                self.ports[name] = self._stack.enter_context(ours)
                theirs.append(handed.enter_context(other).fileno())
            argv = command_line(machine, str(image.kernel), f"/dev/fd/{archive}", accelerator, theirs)
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=self._console, stderr=subprocess.STDOUT,
                pass_fds=(archive, *theirs), start_new_session=True, preexec_fn=_end_with_parent(os.getpid()),
            )  # fmt: skip

    def end(self) -> None:
        """Returns when the process is gone. There is nothing to save: what the guest shares is written."""
        self.process.kill()
        self.process.wait()
        self._stack.close()

    def last_words(self) -> str:
        """The end of what QEMU and the guest's kernel said."""
        self._console.seek(0)
        lines = [line for line in self._console.read().decode(errors="replace").splitlines() if line.strip()]
        return "\n".join(lines[-_SHOWN_LINES:]) or "(nothing)"


def _end_with_parent(parent: int) -> Callable[[], None]:
    def prepare() -> None:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
