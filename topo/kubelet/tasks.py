"""Tasks that serve a connection, and how they end with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

_log = logging.getLogger(__name__)


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """End them. One that failed for another reason than that the client has left says so in the log."""
    ending = tuple(tasks)
    for task in ending:
        task.cancel()
    for result in await asyncio.gather(*ending, return_exceptions=True):
        if isinstance(result, Exception) and not isinstance(result, ConnectionError):
            _log.error("while serving a connection", exc_info=result)
