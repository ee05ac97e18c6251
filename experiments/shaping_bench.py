"""bench shaping: whether shaped links carry what they are configured to carry, beside the overlay and inside it.

A star whose links have one rate each, and an unshaped one to the sender. What a link carries is counted in bytes of
Ethernet frames, as tc(8) counts them; a TCP connection's payload is less by the headers of every packet, so the rate on
the wire is the payload's times the size of a full frame over the payload in it. A second opinion is the shaper's own
count, over the time in which packets waited for it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster.model import TUNNEL_OVERHEAD_BYTES
from experiments import generated, iperf, statistics, testbed
from experiments.fidelity import Fidelity, Monitor
from experiments.goals import Goal, Report
from experiments.statistics import Samples
from experiments.suite.cells import MODES, Mode
from experiments.testbed import Testbed

RATES_MBPS = (10, 50, 100, 500, 1000)
_MTU_BYTES, _ETHERNET_BYTES = 1500, 14
_TCP_IP_BYTES = 20 + 20 + 12
"""IPv4, TCP, and TCP's timestamps (RFC 7323)."""
_WITHIN = 0.05
_OMIT_S = 1
"""While TCP finds out how fast the link is."""


def payload_share(mode: Mode) -> float:
    """How much of a full frame is payload of a TCP connection between pods."""
    pod_mtu_bytes = _MTU_BYTES - (TUNNEL_OVERHEAD_BYTES[4] if mode == "overlay" else 0)
    return (pod_mtu_bytes - _TCP_IP_BYTES) / (_MTU_BYTES + _ETHERNET_BYTES)


def documents(mode: Mode) -> list[dict[str, Any]]:
    """The first worker sends, to one worker behind each rate."""
    cluster = generated.cluster(f"shaping-{mode}", 1 + len(RATES_MBPS), mode)
    links = [{"a": _worker(number), "b": "s1", "bandwidth": f"{rate}Mbit"} for number, rate in enumerate(RATES_MBPS, 2)]
    cluster["underlay"] = {"topology": "star", "links": links}
    cluster["network"]["mtu"] = _MTU_BYTES
    return [cluster, generated.deployment("pod", 1 + len(RATES_MBPS))]


def _worker(number: int) -> str:
    return f"worker{number}" if number > 1 else "worker"


def run(rounds: int, seconds: int, progress: Callable[[str], None]) -> Report:
    """Raises CommandError when a testbed does not come up, IperfError when it carries nothing."""
    measured: dict[Mode, list[dict[str, float]]] = {}
    fidelity: list[Fidelity] = []
    for mode in MODES:
        measured[mode] = []
        with _testbed(mode) as running:
            for number in range(rounds):
                measured[mode].append(_measure(mode, running, seconds, fidelity))
                said = ", ".join(f"{name} {value:.3f}" for name, value in measured[mode][-1].items())
                progress(f"{mode}, round {number + 1} of {rounds}, measured over configured: {said}")
    return report({mode: statistics.by_arm(found) for mode, found in measured.items()}, fidelity)


@contextmanager
def _testbed(mode: Mode) -> Iterator[Testbed]:
    with tempfile.TemporaryDirectory(prefix="mininetes-bench-") as directory:
        spec = generated.write(documents(mode), Path(directory) / "spec.yaml")
        with testbed.running(spec, "bench-shaping") as running:
            yield running


def _measure(mode: Mode, running: Testbed, seconds: int, fidelity: list[Fidelity]) -> dict[str, float]:
    """Measured over configured, for each rate: on the wire by the payload, and by the shaper's own count."""
    pods = {pod.node: pod for pod in generated.servers(running.inventory())}
    client, found = running.prefix(pods["worker"].target), {}
    roots = {os.getpid(), running.process_id()}
    for number, rate in enumerate(RATES_MBPS, 2):
        server = pods[_worker(number)]
        options = iperf.Options(seconds=seconds, omit_seconds=_OMIT_S)
        with Monitor(roots) as monitor:
            result = iperf.measure(running.prefix(server.target), client, server.addresses[0], options)
        fidelity.append(monitor.report())
        found[f"wire_{rate}"] = result.bits_per_second / payload_share(mode) / (rate * 1e6)
        shapers = [value for name, value in fidelity[-1].figures.items() if name.startswith("link/")]
        if shapers:
            found[f"shaper_{rate}"] = shapers[0]
    return found


def report(measured: Mapping[Mode, Mapping[str, Samples]], fidelity: Sequence[Fidelity]) -> Report:
    """The figures out of the samples."""
    goals = []
    for mode, arms in measured.items():
        for rate in RATES_MBPS:
            found = arms[f"wire_{rate}"].median
            what = f"{rate} Mbit/s, {mode}: on the wire over configured"
            goals += [Goal(what, found, "at least", 1 - _WITHIN, "x"), Goal(what, found, "at most", 1 + _WITHIN, "x")]
    raw: dict[str, Any] = {
        f"{mode}_{name}": samples.as_json() for mode, arms in measured.items() for name, samples in arms.items()
    }
    return Report("shaping", tuple(goals), {**raw, "fidelity": [one.to_json() for one in fidelity]})
