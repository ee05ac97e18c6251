"""What is measured, as data."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

Load = Literal["tcp-1", "tcp-8", "udp", "requests", "connections", "idle"]
Mode = Literal["overlay", "direct"]
PATHS = ("same-node", "cross-node")
WAYS = ("pod", "service")
MODES: tuple[Mode, ...] = ("overlay", "direct")
LOADS: tuple[Load, ...] = ("tcp-1", "tcp-8", "udp", "requests", "connections")
NONE = "none"
"""The path and way of an idle network."""


@dataclass(frozen=True, slots=True)
class Cell:
    """`way`: by the server pod's own address, or by its Service's."""

    load: Load
    path: str
    way: str
    mode: Mode

    @property
    def parameters(self) -> dict[str, str]:
        return {"load": self.load, "path": self.path, "way": self.way, "mode": self.mode}


ALL = tuple(Cell(load, path, way, mode) for mode, load, path, way in product(MODES, LOADS, PATHS, WAYS))
QUICK = (
    *(Cell("tcp-1", "cross-node", way, "overlay") for way in WAYS),
    Cell("tcp-1", "cross-node", "pod", "direct"),
    Cell("tcp-1", "same-node", "pod", "overlay"),
    Cell("udp", "cross-node", "pod", "overlay"),
    *(Cell("requests", "cross-node", way, "overlay") for way in WAYS),
    *(Cell("connections", "cross-node", way, "overlay") for way in WAYS),
)
IDLE = tuple(Cell("idle", NONE, NONE, mode) for mode in MODES)
MAIN_FIGURE = {
    "tcp-1": "throughput", "tcp-8": "throughput", "udp": "throughput", "requests": "requests",
    "connections": "connections", "idle": "processors",
}  # fmt: skip
"""The one that a load is about."""
REPORTED = ("throughput", "requests", "connections", "latency_p99", "processors", "memory")
"""What a report is about; the other figures stand in its appendix."""
FIGURES = (
    ("throughput", "bit/s", "higher", "what the receiver got, of payload (iperf3)"),
    ("lost", "ratio", "lower", "datagrams that did not arrive, of a sender that sends as fast as it can (iperf3)"),
    ("retransmits", "count", "lower", "segments sent again (iperf3)"),
    ("requests", "1/s", "higher", "one byte there, one back, on one connection, one after the other"),
    ("connections", "1/s", "higher", "connect, one byte there, one back, close; one after the other"),
    ("latency_p50", "s", "lower", "half of the requests, or connections, took no longer"),
    ("latency_p99", "s", "lower", "of a hundred requests, or connections, 99 took no longer"),
    ("processors", "count", "lower", "processors in use meanwhile, by whomever; idle: by the network's own processes"),
    ("network_processors", "count", "lower", "processors that the network's own processes used, switch and control plane"),
    ("memory", "bytes", "lower", "memory of the network's own processes (proportional set size)"),
)
