"""Wrong experiments, and exactly what is said about them."""

from __future__ import annotations

import os
from pathlib import Path

import golden
import pytest

from cluster.problems import SpecError
from experiments.scripted import file

CASES = golden.cases("wrong_experiments")
FEWEST_CASES = 32
WITHOUT_LINES = ("003-no-experiment", "029-missing-file")


def messages(case: Path) -> str:
    with pytest.raises(SpecError) as caught:
        file.load(case / "experiment.yaml")
    return str(caught.value).replace(f"{case}{os.sep}", "") + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_is_refused_with_exactly_these_messages(case: Path) -> None:
    golden.assert_expected(case, messages(case))


@pytest.mark.parametrize("case", [case for case in CASES if case.name not in WITHOUT_LINES], ids=lambda path: path.name)
def test_every_message_has_a_file_and_a_line(case: Path) -> None:
    golden.assert_placed(case, messages(case))


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= FEWEST_CASES
