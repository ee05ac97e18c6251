"""Delay, jitter and loss of a link are what its spec says, within 5 %, by the fidelity report."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from statistics import median

import pytest
from kernel_site import spec
from service_site import Site

from cluster.reading.config import resolve
from experiments.fidelity import Monitor
from experiments.scripted.netem_links import netem_links
from experiments.testbed import Testbed

WITHIN = 0.05
_TIME = re.compile(r"time=([\d.]+) ms")


@pytest.fixture(scope="module")
def figures(site: Site) -> Mapping[str, float]:
    with Monitor({os.getpid()}, netem_links(Testbed(site.testbed.name), resolve(spec()[0]))) as monitor:
        pass
    report = monitor.report()
    print(report.verdict, report.culprits)
    return report.figures


@pytest.mark.parametrize(("client", "figure"), [
    ("near", "delay"), ("slow", "delay"), ("wavering", "delay"), ("wavering", "jitter"), ("lossy", "loss"),
])  # fmt: skip
def test_a_line_does_what_its_spec_says(figures: Mapping[str, float], client: str, figure: str) -> None:
    found = figures[f"link/{client}:cable/{figure}"]
    print(f"{client}: {figure} is {found:.3f} of what is configured")
    assert found == pytest.approx(1, rel=WITHIN)


def times_ms(output: str) -> list[float]:
    found = [float(each) for each in _TIME.findall(output)]
    assert found, output
    return found


def test_a_line_that_turns_bad_while_all_runs(site: Site) -> None:
    """A fault: 100 ms more on a worker's cable, and gone again."""
    address = next(node["ips"][0] for node in site.testbed.status()["nodes"] if node["name"] == "worker2")

    def round_trip_ms() -> float:
        return median(times_ms(site.testbed.exec("node/worker", "ping", "-n", "-c", "10", "-i", "0.05", address).stdout))

    bridge = site.testbed.exec("sandbox", "ip", "-brief", "link", "show", "master", "s1").output
    port = next(line.split("@")[0] for line in bridge.splitlines() if line.startswith("s1-eth3"))
    before = round_trip_ms()
    site.testbed.exec("sandbox", "tc", "qdisc", "replace", "dev", port, "root", "netem", "delay", "100ms").output  # noqa: B018
    during = round_trip_ms()
    site.testbed.exec("sandbox", "tc", "qdisc", "del", "dev", port, "root").output  # noqa: B018
    assert during - before == pytest.approx(100, rel=WITHIN)
    assert round_trip_ms() < 50
