"""Whoever watches a run from beside it: the samples, and how far to trust it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from experiments.fidelity import Monitor
from experiments.scripted.model import Variant
from experiments.scripted.netem_links import netem_links
from experiments.scripted.sampling import Sampler
from experiments.scripted.steps.faults import Fault
from experiments.scripted.steps.step import Series
from experiments.scripted.steps.throughput import Iperf3
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
    with (
        Sampler(testbed, interval_s) as sampler,
        Monitor(
            {os.getpid(), sampler.init_pid}, netem_links(testbed, variant.cluster), loses_packets(variant)
        ) as monitor,
    ):
        yield watched
    watched.fidelity = monitor.report().to_json()
    watched.samples, watched.figures = sampler.samples, sampler.figures(*watched.measured)


def loses_packets(variant: Variant) -> bool:
    """Whether it does on purpose: packets that are lost then say nothing against it."""
    actions = [step.action for step in variant.steps]
    return (
        any(link.shape.loss_percent for link in variant.cluster.underlay.links)
        or any(isinstance(action, Iperf3) and action.options.udp for action in actions)
        or any(isinstance(action, Fault) and action.loses_packets for action in actions)
    )
