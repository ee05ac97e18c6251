"""From pings across cables to their delay, jitter and loss."""

from __future__ import annotations

import random

import pytest

from experiments.fidelity import crossing
from experiments.fidelity.crossing import Cable, Pings

SAID = """PING 172.18.0.2 (172.18.0.2) 56(84) bytes of data.
64 bytes from 172.18.0.2: icmp_seq=1 ttl=64 time=45.0 ms
64 bytes from 172.18.0.2: icmp_seq=2 ttl=64 time=10.2 ms
64 bytes from 172.18.0.2: icmp_seq=4 ttl=64 time=10.4 ms

--- 172.18.0.2 ping statistics ---
4 packets transmitted, 3 received, 25% packet loss, time 60ms
rtt min/avg/max/mdev = 10.2/21.867/45.0/16.3 ms
"""


def simulated(cables: tuple[Cable, ...], count: int = 8000, late_ms: float = 0.0) -> Pings:
    """As if netem were just; each round trip as late as an exponential draw of that mean."""
    chance = random.Random(7)
    times = []
    for _ in range(count):
        if all(chance.random() >= cable.loss for cable in (*cables, *cables)):
            trip_ms = sum(chance.uniform(c.delay_ms - c.jitter_ms, c.delay_ms + c.jitter_ms) for c in (*cables, *cables))
            times.append(trip_ms + (chance.expovariate(1 / late_ms) if late_ms else 0.0))
    return Pings(tuple(times), count)


def test_what_ping_says_without_its_first() -> None:
    assert crossing.parse(SAID) == Pings((10.2, 10.4), 3)


def test_no_answer_is_nothing() -> None:
    assert crossing.parse("4 packets transmitted, 0 received, 100% packet loss, time 60ms") is None


@pytest.mark.parametrize("cables", [
    (Cable(5.0),), (Cable(50.0, 10.0), Cable()), (Cable(5.0, 1.0), Cable(20.0, 5.0)), (Cable(loss=0.2),),
    (Cable(10.0, 2.0, 0.1), Cable(loss=0.05)),
], ids=str)  # fmt: skip
def test_what_the_cables_should_do_is_found_to_be_so(cables: tuple[Cable, ...]) -> None:
    found = crossing.figures(simulated(cables), cables)
    assert all(value == pytest.approx(1, rel=0.05) for name, value in found.items() if not name.endswith("_error"))
    assert ("delay" in found, "jitter" in found, "loss" in found) == (
        any(cable.delay_ms for cable in cables), any(cable.jitter_ms for cable in cables), any(cable.loss for cable in cables)
    )  # fmt: skip


def test_late_answers_are_not_the_delay() -> None:
    assert crossing.figures(simulated((Cable(5.0),), late_ms=2.0), (Cable(5.0),))["delay"] == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize(("cable", "figure", "value"), [
    (Cable(6.0), "delay", 1.2), (Cable(5.0, 1.5), "jitter", 1.5), (Cable(5.0, loss=0.1), "loss", 0.5),
])  # fmt: skip
def test_what_differs_is_told_by_how_much(cable: Cable, figure: str, value: float) -> None:
    configured = {"delay": Cable(5.0), "jitter": Cable(5.0, 1.0), "loss": Cable(5.0, loss=0.2)}[figure]
    assert crossing.figures(simulated((cable,)), (configured,))[figure] == pytest.approx(value, rel=0.05)


def test_the_error_of_a_loss_is_the_spread_of_its_figure() -> None:
    """One standard deviation, of many simulations of few pings."""
    cable, chance = Cable(loss=0.1), random.Random(3)
    found = []
    for _ in range(300):
        came = sum(chance.random() < 0.81 for _ in range(400))
        found.append(crossing.figures(Pings((1.0,) * came, 400), (cable,)))
    centre = sum(one["loss"] for one in found) / len(found)
    spread = (sum((one["loss"] - centre) ** 2 for one in found) / len(found)) ** 0.5
    assert spread == pytest.approx(found[0]["loss_error"], rel=0.15)


def test_the_mean_of_two_looks_is_surer_than_one() -> None:
    assert crossing.mean([{"loss": 1.0, "loss_error": 0.1}, {"loss": 1.2, "loss_error": 0.1}]) == {
        "loss": pytest.approx(1.1), "loss_error": pytest.approx(0.0707, rel=0.01),
    }  # fmt: skip
    assert crossing.mean([]) == {}


def test_what_the_way_takes_anyway_is_not_the_delay() -> None:
    slow, bare = Pings((10.8,) * 50, 50), Pings((0.7,) * 50, 50)
    assert crossing.figures(slow, (Cable(5.0),), bare)["delay"] == pytest.approx(1.01)
