"""One cell in one network, once: the figures that it gives."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from experiments import iperf
from experiments.iperf import IperfError, Options, Result
from experiments.suite.arms import ANSWERING_PORT, IPERF_PORT, Arm
from experiments.suite.cells import Cell

_GRACE_S = 15.0
_STREAMS = {"tcp-1": 1, "tcp-8": 8}
_SIZE_BYTES = 128 << 20
"""Of a TCP connection: a few hundredths of a second. One that lasts has the luck of its beginning, which processor it came to,
until its end; many short ones have everyone's."""


def measure(arm: Arm, cell: Cell, seconds: float) -> dict[str, float]:
    """For so long, or a little longer; UDP for whole seconds. Raises IperfError, CommandError."""
    if cell.load == "udp":
        return together([_iperf(arm, cell, Options(math.ceil(seconds), udp=True))])
    if cell.load in _STREAMS:
        return _connections(arm, cell, seconds)
    assert cell.load in ("requests", "connections"), cell
    answer = arm.client.do(cell.load, address=arm.address(cell), port=ANSWERING_PORT, seconds=seconds)
    return {cell.load: answer["per_s"], "latency_p50": answer["p50"], "latency_p99": answer["p99"]}


def _connections(arm: Arm, cell: Cell, seconds: float) -> dict[str, float]:
    """Connections one after the other until the time is over."""
    options, until = Options(size_bytes=_SIZE_BYTES, parallel=_STREAMS[cell.load]), time.monotonic() + seconds
    results = [_iperf(arm, cell, options)]
    while time.monotonic() < until:
        results.append(_iperf(arm, cell, options))
    return together(results)


def together(results: Sequence[Result]) -> dict[str, float]:
    """What went through all of them in all of their time."""
    lasted_s = sum(result.seconds for result in results)
    found = {"throughput": sum(result.bits_per_second * result.seconds for result in results) / lasted_s}
    lost = [result.lost_percent for result in results if result.lost_percent is not None]
    sent_again = [result.retransmits for result in results if result.retransmits is not None]
    if lost:
        found["lost"] = fmean(lost) / 100
    if sent_again:
        found["retransmits"] = float(sum(sent_again))
    return found


def _iperf(arm: Arm, cell: Cell, options: Options) -> Result:
    argv = ["iperf3", "--client", arm.address(cell), "--port", str(IPERF_PORT), "--json", *options.arguments()]
    return result(arm.client.do("run", argv=argv, timeout=options.seconds + _GRACE_S))


def result(answer: dict[str, Any]) -> Result:
    """What iperf3 printed. Raises IperfError."""
    if not answer["out"].lstrip().startswith("{"):
        raise IperfError(answer["err"].strip() or f"iperf3 ended with {answer['status']}")
    return iperf.parse(json.loads(answer["out"]))
