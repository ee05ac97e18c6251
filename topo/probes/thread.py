"""A Prober with a thread of its own, for a caller that is no coroutine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from threading import Thread
from typing import Any

from topo.probes.checks import Target
from topo.probes.prober import Execute, OnFailure, Prober
from topo.probes.spec import ContainerProbes
from topo.probes.state import Health


class ProbingThread:
    """As Prober; its methods may be called from any thread.

    `on_change`, `on_failure` and `execute` are called in the thread of the loop; the caller hands on what it hears to its own.
    `on_error` is told what ended the thread: a bug, which the caller raises where it is seen.
    """

    def __init__(
        self,
        on_change: Callable[[str, Health], None],
        execute: Execute,
        on_error: Callable[[Exception], None],
        on_failure: OnFailure = lambda *_: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._on_error = on_error
        self._loop = asyncio.new_event_loop()
        self._prober = Prober(on_change, execute, on_failure=on_failure, clock=clock)
        Thread(target=self._run, name="probes", daemon=True).start()

    def watch(self, key: str, probes: ContainerProbes, target: Target, started_at: float) -> None:
        """Begin with a container, or again with one that was restarted. Until the first change, initial(probes)."""
        self._loop.call_soon_threadsafe(self._prober.watch, key, probes, target, started_at)

    def forget(self, key: str) -> None:
        """Idempotent. A change that is on its way may still be told."""
        self._loop.call_soon_threadsafe(self._prober.forget, key)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run this in the thread of the loop."""
        asyncio.run_coroutine_threadsafe(work, self._loop).add_done_callback(self._spawned)

    def _spawned(self, work: Future[None]) -> None:
        if isinstance(error := work.exception(), Exception):
            self._on_error(error)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._prober.run())
        except Exception as error:
            self._on_error(error)


def initial(probes: ContainerProbes) -> Health:
    """What holds for a container that just started, before the first result."""
    started = probes.startup is None
    return Health(started, ready=started and probes.readiness is None)
