"""One iperf3 run between two machines, and what it said (iperf3(1)).

A machine is a command prefix that runs something in it, so that testbeds' pods and bare namespaces are measured
by the same code.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import dropwhile
from typing import Any

from cluster.model import IPAddress
from cluster.problems import MachineError
from experiments.hands import Hand

FIRST_PORT = 5201
_PORTS = 50
_GRACE_S = 20.0
"""How much longer than its measurement a run may take."""
_NOT_FOUND = 127
_MISSING = "the program 'iperf3' is not there; run: sudo apt-get install iperf3"


SHORT_BYTES = 128 << 20
"""Of a TCP connection of a few hundredths of a second. One that lasts has the luck of its beginning, which processor it came
to, until its end; many short ones have everyone's: sixty of them spread as much as twenty of a second each."""


class IperfError(Exception):
    """iperf3 could not measure; the message is its own."""


@dataclass(frozen=True, slots=True)
class Options:
    """`bandwidth` as iperf3 writes it ("100M"); None = as fast as can be."""

    seconds: int = 2
    udp: bool = False
    bandwidth: str | None = None
    parallel: int = 1
    reverse: bool = False
    length_bytes: int | None = None
    """Of what is sent at a time: a datagram, of UDP."""
    omit_seconds: int = 0
    """At the beginning, which do not count."""
    size_bytes: int | None = None
    """So much, however long it takes, in place of `seconds`."""

    def arguments(self) -> list[str]:
        until = ["--time", str(self.seconds)] if self.size_bytes is None else ["--bytes", str(self.size_bytes)]
        arguments = [*until, "--parallel", str(self.parallel)]
        if self.udp:
            # Without a rate iperf3 sends UDP at 1 Mbit/s, which says nothing about a network.
            arguments += ["--udp", "--bandwidth", self.bandwidth or "0"]
        elif self.bandwidth:
            arguments += ["--bandwidth", self.bandwidth]
        if self.length_bytes is not None:
            arguments += ["--length", str(self.length_bytes)]
        if self.omit_seconds:
            arguments += ["--omit", str(self.omit_seconds)]
        return [*arguments, "--reverse"] if self.reverse else arguments


@dataclass(frozen=True, slots=True)
class Result:
    """What the receiver got. `retransmits` of TCP, `lost_percent` and `jitter_ms` of UDP; None where unknown."""

    bits_per_second: float
    seconds: float
    protocol: str
    retransmits: int | None = None
    lost_percent: float | None = None
    jitter_ms: float | None = None
    intervals: tuple[tuple[float, float], ...] = ()
    """(seconds since the beginning, bits per second) of each part of the time, as the client saw it."""

    @property
    def gbps(self) -> float:
        return self.bits_per_second / 1e9


def measure(
    server: Sequence[str], client: Sequence[str], address: IPAddress, options: Options,
    front: tuple[IPAddress, int] | None = None, on_begin: Callable[[], None] = lambda: None,
) -> Result:  # fmt: skip
    """Run a server in one machine, bound to `address`, and a client against it in another.

    `front`: the client connects there, which must lead to FIRST_PORT of the server. `on_begin` is called when the server
    listens and the client is about to start.

    Raises IperfError, or MachineError where there is no iperf3.
    """
    with _listening(server, address) as port:
        host, at = front or (address, port)
        command = [*client, "iperf3", "--client", str(host), "--port", str(at), "--json", *options.arguments()]
        on_begin()
        with _started(command) as process:
            try:
                said, _ = process.communicate(timeout=options.seconds + options.omit_seconds + _GRACE_S)
            except subprocess.TimeoutExpired as error:
                raise IperfError(f"no answer from {address} within {error.timeout:g} s") from error
    if process.returncode == _NOT_FOUND:
        raise MachineError(_MISSING)
    return parse(_answer(said, process.returncode))


def serve(server: Hand, address: IPAddress, port: int = FIRST_PORT) -> None:
    """A server that stays as long as its hand does. Raises CommandError where it cannot be."""
    server.start("iperf3", "--server", "--forceflush", "--bind", str(address), "--port", str(port), said="listening on")


def ask(client: Hand, address: str, port: int, options: Options) -> Result:
    """A client against such a server. Raises IperfError, CommandError."""
    argv = ("iperf3", "--client", address, "--port", str(port), "--json", *options.arguments())
    done = client.do("run", argv=argv, timeout=options.seconds + _GRACE_S)
    return parse(_answer(done["out"] or done["err"], done["status"]))


def _answer(said: str, status: int) -> dict[str, Any]:
    """The JSON, without the warnings that come before it: of datagrams that are larger than a segment. Raises IperfError."""
    lines = dropwhile(lambda line: line.startswith("warning:"), said.strip().splitlines())
    answer = "\n".join(lines)
    if not answer.startswith("{"):
        raise IperfError(said.strip() or f"iperf3 ended with {status}")
    found: dict[str, Any] = json.loads(answer)
    return found


def parse(answer: dict[str, Any]) -> Result:
    """What `iperf3 --client --json` printed. Raises IperfError with iperf3's own message."""
    if "error" in answer:
        raise IperfError(str(answer["error"]))
    end = answer["end"]
    protocol = str(answer["start"]["test_start"]["protocol"]).lower()
    # For UDP, "sum" is the client's view (what was sent) with the server's losses; older versions have only that.
    received = end.get("sum_received") or end["sum"]
    losses = end.get("sum", received) if protocol == "udp" else {}
    return Result(
        bits_per_second=float(received["bits_per_second"]),
        seconds=float(received["seconds"]),
        protocol=protocol,
        retransmits=end.get("sum_sent", {}).get("retransmits"),
        lost_percent=losses.get("lost_percent"),
        jitter_ms=losses.get("jitter_ms"),
        intervals=tuple(
            (float(part["sum"]["start"]), float(part["sum"]["bits_per_second"])) for part in answer.get("intervals", ())
        ),
    )


@contextmanager
def _listening(server: Sequence[str], address: IPAddress) -> Iterator[int]:
    """A server for one test, on the first free port; it listens already."""
    for port in range(FIRST_PORT, FIRST_PORT + _PORTS):
        argv = [*server, "iperf3", "--server", "--one-off", "--bind", str(address), "--port", str(port), "--forceflush"]
        with _started(argv) as process:
            said = _until_listening(process)
            if said is None:
                yield port
                return
            if process.wait() == _NOT_FOUND:
                raise MachineError(_MISSING)
            if "Address already in use" not in said:
                raise IperfError(said)
    raise IperfError(f"ports {FIRST_PORT} to {FIRST_PORT + _PORTS - 1} of {address} are all in use")


@contextmanager
def _started(argv: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A process of a group of its own, which ends with the context: what enters a namespace for a command may stay
    outside as its parent, and the command would outlive it."""
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _until_listening(server: subprocess.Popen[str]) -> str | None:
    """None as soon as it says that it listens (it does so after listen(2)); what it said instead, if it ended."""
    said: list[str] = []
    assert server.stdout is not None
    for line in server.stdout:
        if "listening on" in line:
            return None
        said.append(line)
    return "".join(said).strip()
