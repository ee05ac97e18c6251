"""To hear when the switches know a revision: a thread that asks the API server, which answers when they do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

from cluster.client import Client, NotInSyncError

_LOG = logging.getLogger("agent")


class Switches:
    """`on_realised(revision)` is called in another thread."""

    def __init__(self, api: Client, timeout_s: float, on_realised: Callable[[int], None]) -> None:
        self._api, self._timeout_s, self._on_realised = api, timeout_s, on_realised
        self._awaited: SimpleQueue[int] = SimpleQueue()
        Thread(target=self._wait, name="switches", daemon=True).start()

    def await_revision(self, revision: int) -> None:
        """Have `on_realised` called once they know it."""
        self._awaited.put(revision)

    def _wait(self) -> None:
        while True:
            awaited = self._awaited.get()
            while True:
                try:
                    revision = self._api.wait_realised("controller", awaited, self._timeout_s)
                    break
                except NotInSyncError as error:
                    _LOG.warning("pods wait to be started: %s", error)
            self._on_realised(revision)
