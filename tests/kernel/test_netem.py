"""Delay, jitter and loss of a link are what its spec says, within 5 %."""

from __future__ import annotations

import re
from statistics import median, quantiles

import pytest
from kernel_site import DELAY_MS, DELAYED_MS, JITTER_MS, LOSS_PERCENT
from service_site import Site

WITHIN = 0.05
_TIME = re.compile(r"time=([\d.]+) ms")
_COUNTS = re.compile(r"(\d+) packets transmitted, (\d+) received")


def ping(site: Site, target: str, count: int, interval_s: float) -> str:
    """From a client outside to the first node, which is a switch away."""
    address = site.testbed.status()["nodes"][0]["ips"][0]
    return site.testbed.exec(target, "ping", "-n", "-W", "1", "-c", str(count), "-i", f"{interval_s:g}", address).stdout


def times_ms(output: str) -> list[float]:
    found = [float(each) for each in _TIME.findall(output)]
    assert found, output
    return found


@pytest.mark.parametrize(("client", "delay_ms"), [("near", DELAYED_MS), ("slow", DELAY_MS)])
def test_delay(site: Site, client: str, delay_ms: float) -> None:
    """Once each way. What the way takes by itself, a client with a good line says at the same time of day. Of both the
    fastest tenth: netem is never early, and a processor that is emulated, or busy, makes the others late.
    """
    base = quantiles(times_ms(ping(site, "client/laptop", 200, 0.01)), n=10)[0]
    measured = (quantiles(times_ms(ping(site, f"client/{client}", 200, 0.01)), n=10)[0] - base) / 2
    assert measured == pytest.approx(delay_ms, rel=WITHIN)
    print(f"{client}: {measured:.2f} ms of {delay_ms} ms each way, besides {base:.2f} ms")


def test_jitter(site: Site) -> None:
    """netem draws evenly from delay ± jitter. Half of the sums of two such draws are within ± jitter · (2 - √2) of the mean;
    how late the latest were, which is the processor's doing, does not count.
    """
    low, _, high = quantiles(times_ms(ping(site, "client/wavering", 8000, 0.002)), n=4)
    measured = (high - low) / (2 * (2 - 2**0.5))
    assert measured == pytest.approx(JITTER_MS, rel=WITHIN)
    print(f"jitter: {measured:.2f} ms of {JITTER_MS} ms, by 8000 round trips")


def test_loss(site: Site) -> None:
    """A round trip is lost unless both ways pass it on. Of 8,000, the share is within 3 % of its mean in 99 of 100 runs."""
    found = _COUNTS.search(ping(site, "client/lossy", 8000, 0.002))
    assert found is not None
    sent, received = map(int, found.groups())
    measured = 100 * (1 - (received / sent) ** 0.5)
    assert measured == pytest.approx(LOSS_PERCENT, rel=WITHIN)
    print(f"loss: {measured:.2f} % of {LOSS_PERCENT} % each way, by {sent} round trips")


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
