"""The list of wrong engines is one of places that exist; whether each is noticed: `python tests/mutants/run.py`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "mutants"))

from run import misplaced, mutants


def test_there_are_enough_and_each_has_its_place() -> None:
    assert len(mutants()) >= 60
    assert misplaced() == []
