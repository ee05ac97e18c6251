"""What the agent reports to the API server, in the order of the calls, by a thread of its own.

The server draws its conclusions from a thousand statuses in a third of a second; the agent starts others meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from queue import SimpleQueue
from threading import Thread
from typing import Any

from cluster.client import Client

_LOG = logging.getLogger("agent")

Report = Mapping[str, Any]


class Reports:
    """Reports of one kind that come while others are under way are made together."""

    def __init__(self, api: Client) -> None:
        self._api = api
        self._queue: SimpleQueue[tuple[Callable[[Sequence[Report]], None], Sequence[Report]]] = SimpleQueue()
        Thread(target=self._send, name="reports", daemon=True).start()

    def statuses(self, statuses: Sequence[Report]) -> None:
        self._queue.put((self._post_statuses, statuses))

    def removed(self, pods: Sequence[Report]) -> None:
        self._queue.put((self._api.post_removed, pods))

    def observed(self, revision: int, pods: int) -> None:
        """All that `revision` asks for has begun; there are so many pods."""
        self._queue.put((self._post_observed, [{"revision": revision, "pods": pods}]))

    def _send(self) -> None:
        while True:
            waiting = [self._queue.get()]
            while not self._queue.empty():
                waiting.append(self._queue.get())
            for post, same in groupby(waiting, key=lambda entry: entry[0]):
                post([report for _, reports in same for report in reports])

    def _post_statuses(self, statuses: Sequence[Report]) -> None:
        self._api.post_statuses(statuses)
        _LOG.debug("%d statuses reported", len(statuses))

    def _post_observed(self, observed: Sequence[Report]) -> None:
        newest = observed[-1]
        self._api.observed("agent", newest["revision"], {"pods": newest["pods"]})
