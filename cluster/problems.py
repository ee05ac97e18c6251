"""What is wrong, told so that the reader can mend it: file, line, object, field, what was found, what was wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """One mistake in a user's input, or (as a notice) one field that has no effect here.

    `line` is 1-based, 0 when the document has no lines (an object that came through the API).
    `subject` is the object as a user names it ("Service shop/web"), `field` its path
    ("spec.ports[0].targetPort"); both may be empty (a YAML syntax error has neither).
    """

    file: str
    line: int
    subject: str
    field: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.subject, self.field, self.message) if part)


class SpecError(Exception):
    """The input is wrong. Carries every problem found, in file and line order; exit status 2."""

    exit_status = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


class MachineError(Exception):
    """The machine lacks something. The message names it and the command that mends it; exit status 3."""

    exit_status = 3


class NoTestbedError(Exception):
    """No testbed of that name is running, or more than one and none was named; exit status 2."""

    exit_status = 2
