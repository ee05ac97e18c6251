"""To hear when the switches know a revision: a thread that asks the API server, which answers when they do.

The containers of a pod that they do not know yet wait, as they wait for a CNI plugin.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from threading import Thread

from cluster.client import Client, NotInSyncError
from topo.managed_pod import ManagedPod

_LOG = logging.getLogger("agent")


class Switches:
    """`on_realised(revision)` is called in another thread; all else is the agent's own."""

    def __init__(self, api: Client, timeout_s: float, on_realised: Callable[[int], None]) -> None:
        self._api, self._timeout_s, self._on_realised = api, timeout_s, on_realised
        self._realised = -1
        self._unknown: dict[str, ManagedPod] = {}
        self._awaited: SimpleQueue[int] = SimpleQueue()
        Thread(target=self._wait, name="switches", daemon=True).start()

    def admit(self, pod: ManagedPod) -> None:
        self._unknown[pod.uid] = pod

    def forget(self, pod: ManagedPod) -> None:
        self._unknown.pop(pod.uid, None)

    def know(self, pod: ManagedPod) -> bool:
        return pod.admitted_at <= self._realised

    def ask(self, asked: int) -> None:
        """Have `on_realised` called once they know the pods that were admitted after the revision `asked`."""
        newest = max((pod.admitted_at for pod in self._unknown.values()), default=-1)
        if newest > asked:
            self._awaited.put(newest)

    def realised(self, revision: int) -> Mapping[str, ManagedPod]:
        """They know this revision; the pods that they know since, by uid."""
        self._realised = max(self._realised, revision)
        known = {uid: pod for uid, pod in self._unknown.items() if self.know(pod)}
        for uid in known:
            del self._unknown[uid]
        return known

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
