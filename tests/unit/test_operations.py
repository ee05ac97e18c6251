"""The measure that the tests of costs use."""

from __future__ import annotations

from operations import calls


def test_calls_are_counted_those_of_builtins_too() -> None:
    def few() -> None:
        len("")

    def many() -> None:
        for _ in range(100):
            few()

    once = calls(few)
    assert calls(many) - once == 1 + 2 * 99


def test_the_same_work_costs_the_same() -> None:
    def work() -> None:
        sorted(range(1000), key=lambda number: -number)

    assert calls(work) == calls(work) > 1000
