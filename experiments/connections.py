"""`connecting`, run in two machines: one accepts, one connects. A machine is a command prefix, as for `iperf`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from experiments import connecting, testbed

_CONNECTING = ("python3", "-c", Path(connecting.__file__).read_text())
"""Not as a file: pods do not see what is below the host's /tmp, where a clone may be."""
_ONE_REQUEST_S = 0.001


@contextmanager
def served(prefix: Sequence[str], address: str, port: int, http: bool = False) -> Iterator[None]:
    """Somebody accepts there, or answers HTTP requests, for as long as the context lasts."""
    argv = (*prefix, *_CONNECTING, "answer" if http else "serve", address, str(port))
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.terminate()


def per_second(prefix: Sequence[str], address: str, port: int, seconds: float) -> float:
    """How many connections, one after the other."""
    return float(_asked(prefix, "rate", address, str(port), str(seconds)))


def requests_per_second(prefix: Sequence[str], address: str, port: int, seconds: float) -> float:
    """How many HTTP requests, each by a connection of its own, one after the other."""
    return float(_asked(prefix, "request", address, str(port), str(seconds)))


def answers(prefix: Sequence[str], address: str, port: int) -> bool:
    """Whether an HTTP request is answered there."""
    try:
        return requests_per_second(prefix, address, port, _ONE_REQUEST_S) > 0
    except testbed.CommandError:
        return False


def latencies_ms(prefix: Sequence[str], count: int, targets: Sequence[str]) -> list[float]:
    """Of each of `count` connections, to each "ADDRESS:PORT" in turn."""
    samples: list[float] = json.loads(_asked(prefix, "latency", str(count), *targets))
    return samples


def _asked(prefix: Sequence[str], *words: str) -> str:
    return testbed.output_of((*prefix, *_CONNECTING, *words))
