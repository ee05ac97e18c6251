"""Wrong specs and exactly what is said about them: file, line, object, field, what was found, what would be right.

After a message was changed on purpose: run this with MININETES_WRITE_EXPECTED=1 in the environment, and read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cluster.problems import SpecError
from cluster.reading.spec import load

FOLDER = Path(__file__).parent / "wrong_specs"
CASES = sorted(path for path in FOLDER.iterdir() if path.is_dir())
FEWEST_CASES = 45


def messages(case: Path) -> str:
    """What a user in that folder reads on `-f .`."""
    with pytest.raises(SpecError) as caught:
        load([str(case)])
    return str(caught.value).replace(f"{case}{os.sep}", "") + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_is_refused_with_exactly_these_messages(case: Path) -> None:
    told = messages(case)
    expected = case / "expected.txt"
    if os.environ.get("MININETES_WRITE_EXPECTED"):
        expected.write_text(told)
    assert told == expected.read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_every_message_has_a_file_and_a_line(case: Path) -> None:
    for message in messages(case).splitlines():
        file, line, _ = message.split(":", 2)
        lines = (case / file).read_text().splitlines()
        assert 1 <= int(line) <= len(lines) + 1, message


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= FEWEST_CASES
