"""The control loops' Events on their way into the store: a little later than what they tell of, as those of client-go's
broadcaster are, so that nothing waits for them that is to be done."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from cluster.draft import Draft
from cluster.events import EventType, involved_object, record
from cluster.quiet import LONGEST_WAIT_S, QUIET_S

AT_ONCE = 100
"""So many in one transaction, so that requests do not wait for all of them."""


class Broadcaster:
    """Those that wait, oldest first. What waits when the process dies is lost, as it is in Kubernetes."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, tuple[Any, ...]]] = deque()
        self._latest = 0.0

    def tell(
        self, now: float, involved: Mapping[str, Any], type: EventType, reason: str, message: str, component: str
    ) -> None:
        """`now`: in seconds since the epoch."""
        self._waiting.append((now, (involved_object(involved), type, reason, message, component)))
        self._latest = now

    def __len__(self) -> int:
        return len(self._waiting)

    def forget_after(self, count: int) -> None:
        """What was told after the first `count` did not happen."""
        while len(self._waiting) > count:
            self._waiting.pop()

    def due(self) -> float | None:
        """When they are to be written; None while there are none."""
        if not self._waiting:
            return None
        return min(self._latest + QUIET_S, self._waiting[0][0] + LONGEST_WAIT_S)

    def write(self, draft: Draft, at_most: int | None = None) -> None:
        """Write the oldest, or all."""
        for _ in range(len(self._waiting) if at_most is None else min(at_most, len(self._waiting))):
            _, told = self._waiting.popleft()
            record(draft, *told)
