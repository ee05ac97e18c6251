"""The loop that makes the attempts when they are due, many at a time, in one thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from topo.probes import checks
from topo.probes.checks import Target
from topo.probes.schedule import Due, Schedule
from topo.probes.spec import ContainerProbes, Exec, Probe, ProbeKind
from topo.probes.state import Health, Result

_AT_ONCE = 128

Execute = Callable[[str, Sequence[str], float], Awaitable[Result]]
"""Run a command in the container of this key, for at most so many seconds."""
Check = Callable[[Probe, Target], Awaitable[Result]]
OnFailure = Callable[[str, ProbeKind, str], None]
"""Told of each attempt that failed: the container's key, which probe, why."""


class Prober:
    """Probes the containers it is told to watch, and calls `on_change(key, health)` when something followed from it.

    A container whose health is not `alive` is not asked any more until it is watched anew, restarted. `started_at`
    is on `clock`. All methods belong to the thread of the event loop.
    """

    def __init__(
        self,
        on_change: Callable[[str, Health], None],
        execute: Execute,
        check: Check = checks.check,
        on_failure: OnFailure = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_change, self._on_failure = on_change, on_failure
        self._execute, self._check, self._clock = execute, check, clock
        self._schedule = Schedule()
        self._targets: dict[str, Target] = {}
        self._changed = asyncio.Event()
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._attempts: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None

    def watch(self, key: str, probes: ContainerProbes, target: Target, started_at: float) -> Health:
        """Begin with a container, or again with one that was restarted. What holds until the first result."""
        self._targets[key] = target
        health = self._schedule.add(key, probes, started_at, self._clock())
        self._changed.set()
        return health

    def forget(self, key: str) -> None:
        """Idempotent. No change is told after this."""
        self._schedule.remove(key)
        self._targets.pop(key, None)

    async def run(self) -> None:
        """Until cancelled. An error that is no result of a probe ends it: it is raised here."""
        try:
            while self._error is None:
                self._changed.clear()
                for due in self._schedule.take_due(self._clock()):
                    attempt = asyncio.create_task(self._attempt(due))
                    self._attempts.add(attempt)
                    attempt.add_done_callback(self._ended)
                await self._wait()
            raise self._error
        finally:
            for attempt in self._attempts:
                attempt.cancel()

    def _ended(self, attempt: asyncio.Task[None]) -> None:
        self._attempts.discard(attempt)
        if not attempt.cancelled() and (error := attempt.exception()) is not None:
            self._error = error
            self._changed.set()

    async def _wait(self) -> None:
        """Until the next attempt is due, or the schedule changed."""
        due = self._schedule.next_due()
        timeout_s = None if due is None else max(0.0, due - self._clock())
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except asyncio.TimeoutError:
            return

    async def _attempt(self, due: Due) -> None:
        async with self._free:
            target = self._targets.get(due.key)
            if target is None:
                return
            result = await self._once(due, target)
        if not result.ok and due.key in self._targets:
            self._on_failure(due.key, due.kind, result.message)
        health = self._schedule.report(due, result, self._clock())
        self._changed.set()
        if health is not None:
            self._on_change(due.key, health)

    async def _once(self, due: Due, target: Target) -> Result:
        handler = due.probe.handler
        if not isinstance(handler, Exec):
            return await self._check(due.probe, target)
        try:
            running = self._execute(due.key, handler.command, due.probe.timeout_s)
            return await asyncio.wait_for(running, due.probe.timeout_s)
        except asyncio.TimeoutError:
            return Result(False, f"command timed out after {due.probe.timeout_s:g}s")
