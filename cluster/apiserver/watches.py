"""The stream of a watch: one JSON object per line, each event in the form that was asked for.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from cluster.registry.requests import WatchEvent
from cluster.registry.watching import Watch
from cluster.wakeup import Wakeup, wait

DEFAULT_TIMEOUT_S = 3600.0
"""The real server's is 30 to 60 minutes, by chance: clients must cope with any."""
BOOKMARK_PERIOD_S = 60.0

Encode = Callable[[WatchEvent], str]
"""An event's `object` as JSON."""


class Watches:
    """All watches of the server: `stop` ends them."""

    def __init__(self, wakeup: Wakeup) -> None:
        self._wakeup = wakeup
        self._stopping = False

    def stop(self) -> None:
        self._stopping = True
        self._wakeup.notify()

    async def stream(self, watch: Watch, encode: Encode, timeout_s: float | None) -> AsyncIterator[bytes]:
        """Until the time is over, the server stops, or the watcher has fallen too far behind (an ERROR event)."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + (DEFAULT_TIMEOUT_S if timeout_s is None else timeout_s)
        bookmark_s = loop.time() + BOOKMARK_PERIOD_S
        while not self._stopping:
            event = self._wakeup.next()
            events = list(watch.poll())
            if loop.time() >= min(end_s, bookmark_s):
                bookmark_s = loop.time() + BOOKMARK_PERIOD_S
                events += filter(None, [watch.bookmark()])
            if events:
                yield _lines(events, encode)
            if loop.time() >= end_s or (events and events[-1].type == "ERROR"):
                return
            await wait(event, min(end_s, bookmark_s) - loop.time())


def _lines(events: Sequence[WatchEvent], encode: Encode) -> bytes:
    return "".join(
        f'{{"type":"{event.type}","object":{event.text if event.type == "ERROR" else encode(event)}}}\n'
        for event in events
    ).encode()
