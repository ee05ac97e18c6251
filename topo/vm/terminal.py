"""A user's terminal while what runs in the guest has it: every key goes there as it is, Ctrl-C too (termios(3))."""

from __future__ import annotations

import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager


def has_terminal() -> bool:
    """Whether this process's user types at it and reads from it."""
    return os.isatty(0) and os.isatty(1)


def size() -> tuple[int, int]:
    """Rows and columns."""
    columns, rows = os.get_terminal_size(1)
    return rows, columns


@contextmanager
def raw() -> Iterator[None]:
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        sys.stdout.flush()
        termios.tcsetattr(0, termios.TCSADRAIN, before)
