"""Wrong input and exactly what is said about it: a folder for each case, with the text in expected.txt.

After a message was changed on purpose: run the tests with MININETES_WRITE_EXPECTED=1 in the environment, and read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path


def cases(folder: str) -> list[Path]:
    return sorted(path for path in (Path(__file__).parent / folder).iterdir() if path.is_dir())


def assert_expected(case: Path, told: str) -> None:
    expected = case / "expected.txt"
    if os.environ.get("MININETES_WRITE_EXPECTED"):
        expected.write_text(told)
    assert told == expected.read_text()


def assert_placed(case: Path, told: str) -> None:
    """Every message begins with a file and one of its lines."""
    for message in told.splitlines():
        file, line, _ = message.split(":", 2)
        lines = (case / file).read_text().splitlines()
        assert 1 <= int(line) <= len(lines) + 1, message
