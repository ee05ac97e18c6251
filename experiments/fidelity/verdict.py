"""Figures -> valid, degraded or invalid, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from experiments.fidelity.crossing import ERROR
from experiments.fidelity.figures import LINK, Seen, figures, who
from experiments.fidelity.limits import CROSSING, LIMITS, LINK_RATE, SURE, Limit

Verdict = Literal["valid", "degraded", "invalid"]
VERDICTS: tuple[Verdict, ...] = ("valid", "degraded", "invalid")
"""From good to bad."""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """`culprits`: sentences, the worst first; none if the run is valid. `figures`: by name, shares as ratios."""

    verdict: Verdict
    culprits: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"verdict": self.verdict, "culprits": list(self.culprits), "figures": dict(self.figures)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Fidelity:
        return cls(document["verdict"], tuple(document["culprits"]), dict(document["figures"]))


def judge(seen: Seen) -> Fidelity:
    """A run is as good as its worst figure. What could not be watched makes it degraded: nobody knows."""
    found = figures(seen)
    faults = [*_faults(seen, found), *((VERDICTS.index("degraded"), f"not watched: {reason}") for reason in seen.blind)]
    faults.sort(key=lambda fault: -fault[0])
    worst = faults[0][0] if faults else 0
    return Fidelity(VERDICTS[worst], tuple(text for _, text in faults), found)


def _faults(seen: Seen, found: Mapping[str, float]) -> Iterator[tuple[int, str]]:
    for limit in LIMITS:
        if limit.figure in found:
            yield from _exceeded(limit, found[limit.figure], who(seen, limit.figure))
    for link in seen.links:
        for limit in (LINK_RATE, *CROSSING):
            figure = f"{LINK}{link.name}/{limit.figure}"
            if figure in found:
                unsure = SURE * found.get(f"{figure}{ERROR}", 0.0)
                yield from _exceeded(limit, abs(1 - found[figure]), f"link {link.name}", unsure)


def _exceeded(limit: Limit, value: float, who: str, unsure: float = 0.0) -> Iterator[tuple[int, str]]:
    severity = (value - unsure >= limit.degraded) + (value - unsure >= limit.invalid)
    if severity:
        yield severity, limit.found.format(value=value, who=who or "nobody that can be named")
