"""How many questions may be under way at once: as many as the machine answers promptly."""

from __future__ import annotations

import math
from collections.abc import Hashable

_FEWEST, _FIRST, _MOST = 8, 50, 400
_LATE = 1 / 4
"""Of the time that an answer has: more than that over the quickest one shows that the others stood in its way."""
_FAST, _CAREFUL = 2, 1.25


class Window:
    """`size`, 50 at first, from 8 to 400: slow start and congestion avoidance (RFC 5681), with late answers for losses.

    It grows after a windowful of questions without a late answer: to the double until there has been one, then by a
    quarter; it is halved by a late one. A question without an answer is not late: what a policy denies is no slow
    machine. The quickest answer on a way so far is what the way itself takes, which is long where links have a delay.
    """

    def __init__(self, timeout_s: float) -> None:
        self.size = _FIRST
        self._late_s = timeout_s * _LATE
        self._quickest_s: dict[Hashable, float] = {}
        self._growth: float = _FAST
        self._done = 0
        self._halved_s = -math.inf

    def answered(self, way: Hashable, began_s: float, now_s: float) -> None:
        """A question that began then has its answer now (of one clock). Those of one way should take equally long."""
        took_s = now_s - began_s
        quickest_s = self._quickest_s[way] = min(self._quickest_s.get(way, math.inf), took_s)
        if took_s <= quickest_s + self._late_s:
            self.passed()
        elif began_s >= self._halved_s:
            self.size, self._growth = max(_FEWEST, self.size // 2), _CAREFUL
            self._halved_s, self._done = now_s, 0

    def passed(self) -> None:
        """A question is over that does not show a slow machine."""
        self._done += 1
        if self._done >= self.size:
            self.size, self._done = min(_MOST, int(self.size * self._growth)), 0
