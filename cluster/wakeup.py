"""Waking everybody who waits for the next change, inside the server's event loop."""

from __future__ import annotations

import asyncio


class Wakeup:
    """`notify` ends every wait that began before it. Take `next()` before looking, so that no change slips through."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def next(self) -> asyncio.Event:
        return self._event

    def notify(self) -> None:
        self._event.set()
        self._event = asyncio.Event()


async def wait(event: asyncio.Event, timeout_s: float) -> None:
    """Until the event or the timeout, whichever is first; the caller looks again in both cases."""
    task = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait([task], timeout=max(timeout_s, 0))
    finally:
        task.cancel()
