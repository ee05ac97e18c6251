"""What the cables on a way should do to packets, and what pings across them found that they do. Pure."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, quantiles

_TIME_MS = re.compile(r"time=([\d.]+) ms")
_SENT = re.compile(r"(\d+) packets transmitted")
_DRAWS = 20_000
ERROR = "_error"
"""Ends the name of a figure's standard deviation, where it is known."""


@dataclass(frozen=True, slots=True)
class Cable:
    """What it does to a packet, in each direction; `loss` is a share. A delay is drawn evenly from delay ± jitter, as
    netem does without a table (tc-netem(8)), and is never negative."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0


@dataclass(frozen=True, slots=True)
class Pings:
    """Round trips that came back, in ms; of how many."""

    times_ms: tuple[float, ...]
    sent: int


def parse(output: str) -> Pings | None:
    """What ping(8) printed; None where nothing came back. The first does not count: it also looks up neighbours, and is the
    one for which a switch makes its flows."""
    times = tuple(float(each) for each in _TIME_MS.findall(output))
    sent = _SENT.search(output)
    if len(times) < 3 or sent is None:
        return None
    return Pings(times[1:], int(sent[1]) - 1)


def takes_many(cables: Sequence[Cable]) -> bool:
    """Whether only many pings tell what these do."""
    return any(cable.jitter_ms or cable.loss for cable in cables)


def figures(pings: Pings, cables: Sequence[Cable], bare: Pings | None = None) -> dict[str, float]:
    """Delay, jitter and loss, each over what the cables, crossed there and back, should make of it; only those that they have.

    `bare`: pings across cables that do nothing: what those take is not the cables' doing. Delay by the fastest, or the fastest tenth where it wavers: netem is never early, and a processor that is busy, or
    emulated, makes the others late. Jitter by the middle half, since how late the latest were is the processor's doing, too. Loss one way.
    """
    trips = _trips_ms(cables)
    wavers = any(cable.jitter_ms for cable in cables)
    fast = _decile if wavers else min
    anyway_ms = min(bare.times_ms) if bare else 0.0
    mean_ms, measured, should = fmean(trips), pings.times_ms, trips
    found = {}
    if mean_ms:
        found["delay"] = 1 + (fast(measured) - anyway_ms - fast(should)) / mean_ms
    if wavers:
        found["jitter"] = _middle_half(measured) / _middle_half(should)
        found[f"jitter{ERROR}"] = 1.2 / len(measured) ** 0.5
    arrives = math.prod(1 - cable.loss for cable in cables)
    if arrives < 1:
        came_back = len(measured) / pings.sent
        found["loss"] = (1 - came_back**0.5) / (1 - arrives)
        found[f"loss{ERROR}"] = ((1 - arrives**2) / pings.sent) ** 0.5 / (2 * (1 - arrives))
    return found


def mean(of: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of figures that were found several times, each as often as the others."""
    found = {name: fmean(one[name] for one in of) for name in (of[0] if of else ())}
    return {name: value / len(of) ** 0.5 if name.endswith(ERROR) else value for name, value in found.items()}


def _trips_ms(cables: Sequence[Cable]) -> Sequence[float]:
    """Round trips as they should be, drawn from a seed of their own: enough for quartiles that are right to one percent."""
    if not any(cable.jitter_ms for cable in cables):
        return [2 * sum(cable.delay_ms for cable in cables)] * 2
    chance = random.Random(1)
    there_and_back = [*cables, *cables]
    return [
        sum(max(0.0, cable.delay_ms + chance.uniform(-1, 1) * cable.jitter_ms) for cable in there_and_back)
        for _ in range(_DRAWS)
    ]


def _decile(times_ms: Sequence[float]) -> float:
    return quantiles(times_ms, n=10, method="inclusive")[0]


def _middle_half(times_ms: Sequence[float]) -> float:
    low, _, high = quantiles(times_ms, n=4, method="inclusive")
    return high - low
