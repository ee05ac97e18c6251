"""Figures beside what they should be."""

from __future__ import annotations

import pytest

from experiments.goals import Goal, Report


@pytest.mark.parametrize(("value", "holds"), [(1.9, True), (2.0, True), (2.1, False)])
def test_at_most(value: float, holds: bool) -> None:
    assert Goal("up over floor", value, "at most", 2.0, "x").holds is holds


@pytest.mark.parametrize(("value", "holds"), [(0.89, False), (0.9, True), (1.1, True)])
def test_at_least(value: float, holds: bool) -> None:
    assert Goal("of plain", value, "at least", 0.9, "x").holds is holds


@pytest.mark.parametrize("value", [0.0, -1.5])
def test_a_figure_that_cannot_be_holds_nothing(value: float) -> None:
    assert not Goal("memory per pod over floor", value, "at most", 1.5, "x").holds


def test_the_form_of_an_answer() -> None:
    goals = Goal("down", 0.5, "at most", 1.0, "s"), Goal("factor", 9.0, "at least", 10.0, "x")
    report = Report("boot", goals, {"a": 1})
    assert not report.holds
    assert report.as_json() == {
        "bench": "boot",
        "goals": [
            {"id": "down", "value": 0.5, "goal": 1.0, "direction": "at most", "unit": "s", "holds": True},
            {"id": "factor", "value": 9.0, "goal": 10.0, "direction": "at least", "unit": "x", "holds": False},
        ],
        "raw": {"a": 1},
    }
    assert report.rows()[1] == ("factor", "9 x", "at least 10", "NO")
