"""Samples of interleaved rounds: medians, ratios."""

from __future__ import annotations

import pytest

from experiments.statistics import Samples, by_arm


def test_minimum_and_median() -> None:
    samples = Samples((3.0, 1.0, 2.0))
    assert (samples.minimum, samples.median) == (1.0, 2.0)


def test_ratios_are_taken_round_by_round() -> None:
    assert Samples((2.0, 9.0)).over(Samples((1.0, 3.0))).values == (2.0, 3.0)


def test_arms_of_different_rounds_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Samples((1.0, 2.0)).over(Samples((1.0,)))


def test_no_samples_are_an_error() -> None:
    with pytest.raises(ValueError, match="no samples"):
        Samples(())


def test_rounds_become_arms() -> None:
    arms = by_arm([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}])
    assert arms == {"a": Samples((1.0, 3.0)), "b": Samples((2.0, 4.0))}


def test_raw_samples_are_kept_in_order() -> None:
    assert Samples((3.0, 1.0)).as_json() == {"samples": [3.0, 1.0], "min": 1.0, "median": 2.0}
