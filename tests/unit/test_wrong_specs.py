"""Wrong specs and exactly what is said about them: file, line, object, field, what was found, what would be right."""

from __future__ import annotations

import os
from pathlib import Path

import golden
import pytest

from cluster.problems import SpecError
from cluster.reading.spec import load

CASES = golden.cases("wrong_specs")
FEWEST_CASES = 45


def messages(case: Path) -> str:
    """What a user in that folder reads on `-f .`."""
    with pytest.raises(SpecError) as caught:
        load([str(case)])
    return str(caught.value).replace(f"{case}{os.sep}", "") + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_is_refused_with_exactly_these_messages(case: Path) -> None:
    golden.assert_expected(case, messages(case))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_every_message_has_a_file_and_a_line(case: Path) -> None:
    golden.assert_placed(case, messages(case))


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= FEWEST_CASES
