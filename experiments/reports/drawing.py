"""All plots of a result. Only whoever draws imports this: it imports matplotlib."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.reports.plots import quantities, ratios, times
from experiments.reports.plots.style import Plot
from experiments.reports.result import Result


def plots(result: Result) -> Iterator[Plot]:
    """The experiment's own figures, ratios, then what went on over time."""
    for figure in result.own:
        if (drawn := quantities.plot(result, figure)) is not None:
            yield drawn
    if (drawn := ratios.plot(result)) is not None:
        yield drawn
    yield from times.plots(result)
