"""The experiments that come with the program: each is right, asks a question, and can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.scripted import commands, file, order

LIBRARY = sorted(commands.LIBRARY.glob("*.yaml"))


def test_there_are_at_least_eight() -> None:
    assert len(LIBRARY) >= 8


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_an_experiment_asks_something_that_can_turn_out_otherwise(path: Path) -> None:
    experiment = file.load(path)
    assert experiment.name == path.stem
    assert experiment.title and experiment.question.endswith("?")
    assert 1 <= experiment.method.count(". ") + 1 <= 2 and experiment.method.endswith(".")
    assert experiment.reported
    assert experiment.expectations
    assert experiment.repetitions > 1, "without repetitions nobody knows the spread"
    assert all(expected.at_least is not None or expected.at_most is not None for expected in experiment.expectations)


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_arms_take_turns(path: Path) -> None:
    """Within a repetition every variant once, so that what the machine does meanwhile meets all of them."""
    experiment = file.load(path)
    runs = order.runs(experiment)
    size = len(experiment.variants)
    for start in range(0, len(runs), size):
        assert len({(run.variant.arm, repr(run.variant.parameters)) for run in runs[start : start + size]}) == size
