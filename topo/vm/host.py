"""One run of the virtual machine, from the host's side: boot, hand over the command, pass bytes, end."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Any

from cluster.problems import MachineError
from topo.vm import accelerator, protocol, terminal
from topo.vm.image import Image
from topo.vm.initramfs import Start
from topo.vm.protocol import Command, Lines
from topo.vm.qemu import KVM, Machine, Running

_INIT_TIMEOUT_S = {KVM: 15.0}
"""A kernel that runs on the processor itself is there within two seconds, or never."""
_EMULATED_INIT_TIMEOUT_S = 120.0
_READY_TIMEOUT_S = 120.0
_CHUNK_BYTES = 1 << 16


class Interrupted(BaseException):
    """A signal that ends the run."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


@dataclass(slots=True)
class Run:
    """One command in a virtual machine of its own."""

    machine: Machine
    image: Image
    start: Start
    command: Command
    kubeconfig: Path | None = None
    tell: Callable[[str], None] = lambda _: None
    _lines: Lines = field(default_factory=Lines)
    _heard_early: deque[tuple[str, Any]] = field(default_factory=deque)
    """What came together with a message that was waited for."""

    def __call__(self) -> int:
        """The command's exit status; 128 + its number if a signal ended this first. Raises MachineError."""
        try:
            with _ending_on_signals(), ExitStack() as stack:
                running = self._boot(stack)
                return self._serve(running)
        except Interrupted as interrupt:
            return 128 + interrupt.number
        except BrokenPipeError:
            # Whoever read the command's output has enough of it.
            return 128 + signal.SIGPIPE

    def _boot(self, stack: ExitStack) -> Running:
        """A guest that is ready for its command, by the fastest means that works."""
        for candidate in accelerator.candidates():
            began = time.monotonic()
            running = Running(self.machine, self.image, self.start, candidate)
            try:
                self._await(running, protocol.INIT, _INIT_TIMEOUT_S.get(candidate, _EMULATED_INIT_TIMEOUT_S))
            except MachineError:
                running.end()
                if candidate != KVM:
                    raise
                accelerator.remember_failure()
                self.tell("/dev/kvm opens, but no guest runs with it: emulating the processor")
                self._lines = Lines()
                self._heard_early.clear()
                continue
            except BaseException:
                running.end()
                raise
            stack.callback(running.end)
            self._await(running, protocol.READY, _READY_TIMEOUT_S)
            self.tell(f"Linux {self.image.version} is up after {time.monotonic() - began:.1f} s ({candidate})")
            return running
        raise AssertionError("emulation is always a candidate")

    def _await(self, running: Running, wanted: str, timeout_s: float) -> None:
        control = running.ports[protocol.CONTROL]
        deadline = time.monotonic() + timeout_s
        while not self._has_come(wanted):
            control.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = control.recv(_CHUNK_BYTES)
            except TimeoutError:
                data = b""
            if not data:
                raise MachineError(
                    f"the virtual machine did not start ({running.accelerator}, no {wanted!r} within "
                    f"{timeout_s:g} s or before its end); it said:\n{running.last_words()}"
                )
            self._heard_early.extend(self._lines.feed(data))

        control.settimeout(None)

    def _has_come(self, wanted: str) -> bool:
        while self._heard_early:
            kind, value = self._heard_early.popleft()
            if kind == protocol.LACKS:
                raise MachineError(f"the virtual machine could not be set up: {value}")
            if kind == wanted:
                return True
        return False

    def _serve(self, running: Running) -> int:
        control = running.ports[protocol.CONTROL]
        control.sendall(protocol.encode_command(self.command))
        with ExitStack() as stack:
            if self.command.terminal:
                stack.enter_context(terminal.raw())
                stack.enter_context(_telling_size(control))
            Thread(target=_feed, args=(running.ports[protocol.INPUT],), daemon=True).start()
            status = self._relay(running)
        if status is None:
            raise MachineError(f"the virtual machine has ended before its command; it said:\n{running.last_words()}")
        return status

    def _relay(self, running: Running) -> int | None:
        """Pass on what the command writes until its exit status comes; None: the machine ended."""
        sinks = {protocol.OUTPUT: 1, protocol.ERRORS: 2}
        with selectors.DefaultSelector() as selector:
            for name in (protocol.OUTPUT, protocol.ERRORS, protocol.CONTROL):
                selector.register(running.ports[name], selectors.EVENT_READ, name)
            while True:
                # What was written comes before the exit status, which therefore is looked at last.
                ready = sorted((key.data for key, _ in selector.select()), key=list(protocol.PORTS).index, reverse=True)
                for name in ready:
                    data = running.ports[name].recv(_CHUNK_BYTES)
                    if not data and name == protocol.CONTROL:
                        return None
                    if not data:
                        selector.unregister(running.ports[name])
                        continue
                    if name != protocol.CONTROL:
                        _write_all(sinks[name], data)
                        continue
                    for kind, value in self._lines.feed(data):
                        if kind == protocol.EXIT:
                            _drain(running, sinks)
                            return int(value)
                        self._heard(kind, value)

    def _heard(self, kind: str, value: Any) -> None:
        if kind == protocol.KUBECONFIG and self.kubeconfig is not None:
            fd = os.open(self.kubeconfig, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(fd, "w") as file:
                file.write(value)
        elif kind == protocol.LACKS:
            raise MachineError(f"in the virtual machine: {value}")


def _drain(running: Running, sinks: dict[str, int]) -> None:
    """What was written before the exit status is in these sockets by now."""
    for name, sink in sinks.items():
        port = running.ports[name]
        port.setblocking(False)
        try:
            while data := port.recv(_CHUNK_BYTES):
                _write_all(sink, data)
        except BlockingIOError:
            continue


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _feed(port: socket.socket) -> None:
    """The user's input, until its end or the machine's."""
    try:
        while data := os.read(0, _CHUNK_BYTES):
            port.sendall(data)
        port.shutdown(socket.SHUT_WR)
    except OSError:
        # The machine ended first, and whoever waits for its exit status says so.
        return


@contextmanager
def _ending_on_signals() -> Iterator[None]:
    def end(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _telling_size(control: socket.socket) -> Iterator[None]:
    def tell(*_: object) -> None:
        control.sendall(protocol.encode(protocol.SIZE, terminal.size()))

    before = signal.signal(signal.SIGWINCH, tell)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
