"""One cell in one network, once: the figures that it gives."""

from __future__ import annotations

import json
from typing import Any

from experiments import iperf
from experiments.iperf import IperfError, Options
from experiments.suite.arms import ANSWERING_PORT, IPERF_PORT, Arm
from experiments.suite.cells import Cell

_GRACE_S = 15.0
_STREAMS = {"tcp-1": 1, "tcp-8": 8, "udp": 1}


def measure(arm: Arm, cell: Cell, seconds: int) -> dict[str, float]:
    """Raises IperfError, CommandError."""
    if cell.load in _STREAMS:
        return _iperf(arm, cell, seconds)
    assert cell.load in ("requests", "connections"), cell
    answer = arm.client.do(cell.load, address=arm.address(cell), port=ANSWERING_PORT, seconds=seconds)
    return {cell.load: answer["per_s"], "latency_p50": answer["p50"], "latency_p99": answer["p99"]}


def _iperf(arm: Arm, cell: Cell, seconds: int) -> dict[str, float]:
    options = Options(seconds, udp=cell.load == "udp", parallel=_STREAMS[cell.load])
    argv = ["iperf3", "--client", arm.address(cell), "--port", str(IPERF_PORT), "--json", *options.arguments()]
    return figures(arm.client.do("run", argv=argv, timeout=seconds + _GRACE_S))


def figures(answer: dict[str, Any]) -> dict[str, float]:
    """Of what iperf3 printed. Raises IperfError."""
    if not answer["out"].lstrip().startswith("{"):
        raise IperfError(answer["err"].strip() or f"iperf3 ended with {answer['status']}")
    result = iperf.parse(json.loads(answer["out"]))
    found = {"throughput": result.bits_per_second}
    if result.lost_percent is not None:
        found["lost"] = result.lost_percent / 100
    if result.retransmits is not None:
        found["retransmits"] = float(result.retransmits)
    return found
