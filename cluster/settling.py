"""When the control loops run, and who is woken when: the bridge between writes and the server's event loop.

A write wakes the watchers at once; the loops run a moment later, once for all writes that came meanwhile; and again
when time alone makes something due.
"""

from __future__ import annotations

import asyncio
import time

from cluster.loops import ControlPlane
from cluster.wakeup import Wakeup

PAUSE_S = 0.002
"""How long writes are collected before the loops run: the time of about one write."""


class Settling:
    """`wakeup` is for everybody who waits for the next change."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self.wakeup = Wakeup()
        self._next: asyncio.TimerHandle | None = None
        plane.notify = self.notify

    def notify(self) -> None:
        """Something was written. Called in the event loop, or before there is one."""
        self.wakeup.notify()
        self._schedule(PAUSE_S)

    def run(self) -> None:
        """Let the loops draw their conclusions now."""
        if self._plane.settle(one_turn=True):
            self.wakeup.notify()
        due_s = self._plane.next_due()
        if self._plane.is_behind():
            self._schedule(PAUSE_S)
        elif due_s is not None:
            self._schedule(max(due_s - time.time(), PAUSE_S))

    def _schedule(self, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        at_s = loop.time() + delay_s
        if self._next is not None and not self._next.cancelled() and self._next.when() <= at_s:
            return
        if self._next is not None:
            self._next.cancel()
        self._next = loop.call_at(at_s, self._due)

    def _due(self) -> None:
        self._next = None
        self.run()
