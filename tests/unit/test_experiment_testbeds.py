"""Which testbed a run gets: its own, or one that stays up for all runs of the same spec."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from experiments import testbed
from experiments.scripted import testbeds
from experiments.scripted.model import Variant
from experiments.scripted.testbeds import MOST_AT_ONCE, Testbeds
from experiments.testbed import CommandError, Testbed


@pytest.fixture
def course(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was started and ended, in order."""
    told: list[str] = []
    names = iter(f"t{number}" for number in range(100))
    monkeypatch.setattr(testbed, "fresh_name", lambda stem: next(names))
    monkeypatch.setattr(testbed, "start", lambda path, name: told.append(f"start {name}") or Testbed(name))
    monkeypatch.setattr(testbed, "end", lambda name: told.append(f"end {name}"))
    monkeypatch.setattr(testbeds, "spec_of", lambda variant: str(variant.key))
    return told


def variant(key: object) -> Variant:
    return SimpleNamespace(key=key)  # type: ignore[return-value]


def test_each_run_has_its_own(course: list[str]) -> None:
    with Testbeds(shared=False) as ours:
        for _ in range(2):
            with ours.of(variant("a")):
                pass
    assert course == ["start t0", "end t0", "start t1", "end t1"]


def test_shared_ones_stay_up_while_arms_take_turns(course: list[str]) -> None:
    with Testbeds(shared=True) as ours:
        for key in "abab":
            with ours.of(variant(key)) as running:
                assert running.name == {"a": "t0", "b": "t1"}[key]
    assert course == ["start t0", "start t1", "end t0", "end t1"]


def test_of_many_shared_ones_the_latest_stay(course: list[str]) -> None:
    with Testbeds(shared=True) as ours:
        for key in range(MOST_AT_ONCE + 1):
            with ours.of(variant(key)):
                pass
        assert course[-2:] == ["end t0", f"start t{MOST_AT_ONCE}"]


def test_a_run_that_fails_leaves_no_testbed_and_spares_the_others(course: list[str]) -> None:
    with Testbeds(shared=True) as ours:
        with ours.of(variant("a")):
            pass
        with pytest.raises(CommandError), ours.of(variant("b")):
            raise CommandError("b")
        ours.discard()
        assert course == ["start t0", "start t1", "end t1"]
        with ours.of(variant("a")) as running:
            assert running.name == "t0"
