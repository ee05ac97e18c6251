"""Exit codes as a shell gives them (POSIX, Shell Command Language, 2.8.2 Exit Status for Commands)."""

from __future__ import annotations

import os

CANNOT_EXECUTE, NOT_FOUND = 126, 127


def exit_code(wait_status: int) -> int:
    """Of a status that waitpid(2) gave; 128 + its number for a signal."""
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code
