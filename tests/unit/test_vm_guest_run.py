"""topo/vm/guest_run.py and protocol.py: the command that the guest runs, with pipes for ports."""

from __future__ import annotations

import json
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from topo.vm import protocol
from topo.vm.protocol import Command, Lines

SERVE = """
import json, os, sys
from topo.vm import guest_run
ports = json.loads(sys.argv[1])
for fd in ports.values():
    os.set_inheritable(fd, False)
guest_run.serve(ports)
"""


@dataclass(frozen=True, slots=True)
class Told:
    output: bytes
    errors: bytes
    exit: int


def run(command: Command, given: bytes = b"") -> Told:
    """The guest's side in a process of its own, since it reaps every child that ends."""
    pairs = {name: socket.socketpair() for name in protocol.PORTS}
    theirs = {name: pair[1].fileno() for name, pair in pairs.items()}
    ours = {name: pair[0] for name, pair in pairs.items()}
    ours[protocol.CONTROL].sendall(protocol.encode_command(command))
    ours[protocol.INPUT].sendall(given)
    ours[protocol.INPUT].shutdown(socket.SHUT_WR)
    argv = [sys.executable, "-c", SERVE, json.dumps(theirs)]
    for fd in theirs.values():
        os.set_inheritable(fd, True)
    child = os.posix_spawn(sys.executable, argv, os.environ)
    for _, other in pairs.values():
        other.close()
    with ThreadPoolExecutor() as pool:
        said = dict(zip(ours, pool.map(read_all, ours.values()), strict=True))
    os.waitpid(child, 0)
    messages = dict(Lines().feed(said[protocol.CONTROL]))
    for port in ours.values():
        port.close()
    return Told(said[protocol.OUTPUT], said[protocol.ERRORS], messages[protocol.EXIT])


def read_all(port: socket.socket) -> bytes:
    return b"".join(iter(lambda: port.recv(1 << 16), b""))


def shell(script: str, directory: Path, terminal: tuple[int, int] | None = None) -> Command:
    return Command(("sh", "-c", script), str(directory), dict(os.environ), terminal)


def test_streams_and_status(tmp_path: Path) -> None:
    told = run(shell("cat; pwd; echo bad > /dev/stderr; exit 7", tmp_path), b"input\n")
    assert told == Told(f"input\n{tmp_path}\n".encode(), b"bad\n", 7)


def test_all_of_much_output_comes(tmp_path: Path) -> None:
    assert len(run(shell("head -c 3000000 /dev/zero", tmp_path)).output) == 3_000_000


@pytest.mark.parametrize(("script", "status"), [("kill -TERM $$", 143), ("true", 0), ("/etc/passwd", 126)])
def test_the_status_is_a_shells(tmp_path: Path, script: str, status: int) -> None:
    assert run(shell(script, tmp_path)).exit == status


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    told = run(Command(("no-such-program",), str(tmp_path), dict(os.environ)))
    assert (told.exit, told.errors) == (127, b"no-such-program: No such file or directory\n")


def test_what_it_leaves_running_keeps_nobody_waiting(tmp_path: Path) -> None:
    assert run(shell("sleep 60 & echo done", tmp_path)).output == b"done\n"


def test_a_terminal_of_the_size_that_the_user_has(tmp_path: Path) -> None:
    told = run(shell("tty > /dev/null && stty size", tmp_path, terminal=(24, 81)))
    assert (told.output, told.exit) == (b"24 81\r\n", 0)


def test_messages_in_pieces() -> None:
    lines = Lines()
    assert list(lines.feed(b'["ready", nu')) == []
    assert list(lines.feed(b'll]\n["exit", 3]\n["si')) == [("ready", None), ("exit", 3)]


def test_a_command_arrives_as_it_was_sent() -> None:
    command = Command(("a", "b c"), "/x", {"A": "ü"}, (24, 80), 4711)
    ((kind, value),) = Lines().feed(protocol.encode_command(command))
    assert (kind, protocol.decode_command(value)) == (protocol.RUN, command)
