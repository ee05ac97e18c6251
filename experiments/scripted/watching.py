"""Whoever watches a run from beside it: the samples, and how far to trust it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from experiments.scripted.model import Variant
from experiments.scripted.sampling import Sampler
from experiments.scripted.steps.step import Series
from experiments.testbed import Testbed


@dataclass(slots=True)
class Watched:
    """Complete when the run is over. `fidelity` None: nobody looked. `measured`: when steps measured, in seconds since
    the run began; whoever runs them says so before the context ends."""

    samples: Mapping[str, Series] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    fidelity: Mapping[str, Any] | None = None
    measured: tuple[float, float] = (0.0, 0.0)


@contextmanager
def watching(testbed: Testbed, variant: Variant, interval_s: float) -> Iterator[Watched]:
    """For as long as the context lasts."""
    watched = Watched()
    with Sampler(testbed, interval_s) as sampler:
        yield watched
    watched.samples, watched.figures = sampler.samples, sampler.figures(*watched.measured)
