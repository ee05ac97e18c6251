"""Waiting for something to become true, with a limit and a name for what is awaited."""

from __future__ import annotations

import time
from collections.abc import Callable

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.05


class Timeout(Exception):
    """What was waited for did not happen in time."""


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Return as soon as `condition()` holds. Raises Timeout naming `what` after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    pause = _FIRST_PAUSE_S
    while not condition():
        if time.monotonic() > deadline:
            raise Timeout(f"waited {timeout_s:g} s for {what}")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)
