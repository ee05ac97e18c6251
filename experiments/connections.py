"""`connecting`, run in two machines: one accepts, one connects. A machine is a command prefix, as for `iperf`; who connects
may be a hand that is in there already.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from experiments import connecting, testbed
from experiments.hands import Hand

_CONNECTING = ("python3", "-c", Path(connecting.__file__).read_text())
"""Not as a file: pods do not see what is below the host's /tmp, where a clone may be."""
_ONE_REQUEST_S = 0.001

Where = Sequence[str] | Hand


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


def per_second(where: Where, address: str, port: int, seconds: float) -> float:
    """How many connections, one after the other."""
    return float(_asked(where, "rate", address, str(port), str(seconds)))


def requests_per_second(where: Where, address: str, port: int, seconds: float) -> float:
    """How many HTTP requests, each by a connection of its own, one after the other."""
    return float(_asked(where, "request", address, str(port), str(seconds)))


def answers(where: Where, address: str, port: int) -> bool:
    """Whether an HTTP request is answered there."""
    try:
        return requests_per_second(where, address, port, _ONE_REQUEST_S) > 0
    except testbed.CommandError:
        return False


def latencies_ms(where: Where, count: int, targets: Sequence[str]) -> list[float]:
    """Of each of `count` connections, to each "ADDRESS:PORT" in turn."""
    samples: list[float] = json.loads(_asked(where, "latency", str(count), *targets))
    return samples


def _asked(where: Where, *words: str) -> str:
    if isinstance(where, Hand):
        return where.output(*_CONNECTING, *words)
    return testbed.output_of((*where, *_CONNECTING, *words))
