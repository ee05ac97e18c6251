"""The command in the guest: started, fed, reaped, its exit status told.

Its streams are pipes, or a terminal of its own, and not the ports themselves: those can be opened only once, so
`/dev/stdout` would not work. Standard library only, as `guest`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from topo.exit_codes import CANNOT_EXECUTE, NOT_FOUND, exit_code
from topo.vm import protocol
from topo.vm.protocol import Command, Lines

_PORTS = Path("/sys/class/virtio-ports")
_CHUNK_BYTES = 1 << 16
_LAST_OUTPUT_S = 5.0
"""How long to wait, once the command has ended, for the end of its output: what it left running may keep that open."""
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class _Streams:
    """What the command has as its standard streams, and the ends of those that belong to this process."""

    theirs: tuple[int, int, int]
    input: int
    outputs: Mapping[int, str]
    """Descriptor to read -> name of the port to write to."""
    terminal: int | None = None


def open_ports() -> dict[str, int]:
    """A descriptor for each of protocol.PORTS."""
    names = {(folder / "name").read_text().strip(): folder.name for folder in _PORTS.iterdir()}
    return {name: os.open(f"/dev/{names[name]}", os.O_RDWR | os.O_CLOEXEC) for name in protocol.PORTS}


def serve(ports: Mapping[str, int]) -> None:
    """Say that all is ready, run the command that the host names, tell its exit status."""
    control = ports[protocol.CONTROL]
    os.write(control, protocol.encode(protocol.READY))
    messages = _messages(control)
    command = protocol.decode_command(next(value for kind, value in messages if kind == protocol.RUN))
    streams = _terminal(command.terminal) if command.terminal else _pipes()
    child = _start(command, streams)
    for fd in set(streams.theirs):
        os.close(fd)
    _thread(_pass, ports[protocol.INPUT], streams.input)
    pumps = [_thread(_pass, fd, ports[name]) for fd, name in streams.outputs.items()]
    _thread(_follow, messages, streams.terminal)
    if command.api_port is not None:
        _thread(_tell_kubeconfig, control, command.api_port)
    status = _reap_until(child)
    for pump in pumps:
        pump.join(_LAST_OUTPUT_S)
    os.sync()
    os.write(control, protocol.encode(protocol.EXIT, exit_code(status)))


def _messages(control: int) -> Iterator[tuple[str, Any]]:
    lines = Lines()
    while data := os.read(control, _CHUNK_BYTES):
        yield from lines.feed(data)


def _pipes() -> _Streams:
    input_read, input_write = os.pipe()
    output_read, output_write = os.pipe()
    errors_read, errors_write = os.pipe()
    outputs = {output_read: protocol.OUTPUT, errors_read: protocol.ERRORS}
    return _Streams((input_read, output_write, errors_write), input_write, outputs)


def _terminal(size: tuple[int, int]) -> _Streams:
    ours, theirs = pty.openpty()
    _resize(ours, size)
    return _Streams((theirs, theirs, theirs), ours, {ours: protocol.OUTPUT}, terminal=ours)


def _resize(terminal: int, size: tuple[int, int]) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))


def _start(command: Command, streams: _Streams) -> int:
    child = os.fork()
    if child:
        return child
    status = NOT_FOUND
    try:
        os.setsid()
        for number, fd in enumerate(streams.theirs):
            os.dup2(fd, number)
        if streams.terminal is not None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.chdir(command.directory)
        os.execvpe(command.argv[0], command.argv, command.environment)
    except OSError as error:
        status = NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_EXECUTE
        os.write(2, f"{command.argv[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(status)


def _thread(target: Any, *arguments: Any) -> Thread:
    thread = Thread(target=target, args=arguments, daemon=True)
    thread.start()
    return thread


def _pass(source: int, sink: int) -> None:
    """Bytes until their end; then the sink is closed too, if it is the command's input."""
    # A terminal whose last process is gone reads as an error (EIO); a command need not read all of its input (EPIPE).
    with contextlib.suppress(OSError):
        while data := os.read(source, _CHUNK_BYTES):
            view = memoryview(data)
            while view:
                view = view[os.write(sink, view) :]
        if not os.isatty(sink):
            os.close(sink)


def _follow(messages: Iterator[tuple[str, Any]], terminal: int | None) -> None:
    with contextlib.suppress(ConnectionResetError):  # the host is done
        for kind, value in messages:
            if kind == protocol.SIZE and terminal is not None:
                _resize(terminal, (value[0], value[1]))


def _reap_until(child: int) -> int:
    """The wait status of `child`. As the first process, this one inherits others, and reaps them meanwhile."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return status


def _tell_kubeconfig(control: int, api_port: int) -> None:
    """Hand out the kubeconfig of the testbed whose API server has the forwarded port, once there is one."""
    while True:
        for file in Path("/run/mininetes").glob("*/kubeconfig"):
            text = file.read_text()
            if f"127.0.0.1:{api_port}" in text:
                os.write(control, protocol.encode(protocol.KUBECONFIG, text))
                return
        time.sleep(_LOOK_S)
