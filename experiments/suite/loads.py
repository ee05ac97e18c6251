"""One cell in one network, once: the figures that it gives."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from statistics import fmean

from experiments import iperf
from experiments.iperf import Options, Result
from experiments.suite.arms import ANSWERING_PORT, IPERF_PORT, Arm
from experiments.suite.cells import Cell

_STREAMS = {"tcp-1": 1, "tcp-8": 8}


def measure(arm: Arm, cell: Cell, seconds: float) -> dict[str, float]:
    """For so long, or a little longer; UDP for whole seconds. Raises IperfError, CommandError."""
    if cell.load == "udp":
        return together([iperf.ask(arm.client, arm.address(cell), IPERF_PORT, Options(math.ceil(seconds), udp=True))])
    if cell.load in _STREAMS:
        return _connections(arm, cell, seconds)
    assert cell.load in ("requests", "connections"), cell
    answer = arm.client.do(cell.load, address=arm.address(cell), port=ANSWERING_PORT, seconds=seconds)
    return {cell.load: answer["per_s"], "latency_p50": answer["p50"], "latency_p99": answer["p99"]}


def _connections(arm: Arm, cell: Cell, seconds: float) -> dict[str, float]:
    """Connections one after the other until the time is over."""
    options, until = Options(size_bytes=iperf.SHORT_BYTES, parallel=_STREAMS[cell.load]), time.monotonic() + seconds
    results = [iperf.ask(arm.client, arm.address(cell), IPERF_PORT, options)]
    while time.monotonic() < until:
        results.append(iperf.ask(arm.client, arm.address(cell), IPERF_PORT, options))
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
