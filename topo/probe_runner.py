"""Probes and lifecycle hooks of the agent's containers: what to ask, from where, and the commands, which init runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from topo import confine, container_log, rootfs
from topo.containers import Hook
from topo.managed_pod import ManagedPod
from topo.probes import Exec, Health, Probe, ProbeKind, ProbingThread, Result, Target, check, handler_of, probes_of
from topo.runtime_client import Runtime

_EXEC_PREFIX = "probe-"
_LONGEST_MESSAGE = 1024
"""Of a failed command's output, as much as an Event of it tells."""


class ProbeRunner:
    """Probes containers from when they are added until they are removed; all methods belong to the agent's thread.

    `on_health(key, health)` and `on_failure(key, kind, message)` are called in another thread; the key is
    "<pod uid>/<container>".
    """

    def __init__(
        self,
        on_health: Callable[[str, Health], None],
        on_failure: Callable[[str, ProbeKind, str], None],
        on_error: Callable[[Exception], None],
        runtime: Runtime,
        run: Path,
    ) -> None:
        self._runtime = runtime
        self._run = run
        self._pods: dict[str, ManagedPod] = {}
        self._waiting: dict[str, tuple[asyncio.AbstractEventLoop, asyncio.Future[int]]] = {}
        self._numbers = count()
        self._thread = ProbingThread(on_health, self._probe, on_error, on_failure=on_failure, clock=time.time)

    def add(self, pod: ManagedPod, container: str, started_at: float) -> None:
        """The container runs: begin to probe it, if it has probes."""
        probes = probes_of(pod.life.containers[container].spec)
        if not probes:
            return
        key = f"{pod.uid}/{container}"
        self._pods[key] = pod
        self._thread.watch(key, probes, _target(pod), started_at)

    def remove(self, uid: str, container: str) -> None:
        """The container ended. Idempotent."""
        key = f"{uid}/{container}"
        if self._pods.pop(key, None) is not None:
            self._thread.forget(key)

    def on_runtime(self, event: Mapping[str, Any]) -> bool:
        """Take an event of a process that was started for a probe or hook; False if it is none."""
        id = event["id"]
        if not id.startswith(_EXEC_PREFIX):
            return False
        if event["event"] == "exited":
            self._runtime.forget(id)
            waiting = self._waiting.pop(id, None)
            if waiting is not None:
                loop, future = waiting
                loop.call_soon_threadsafe(_settle, future, event["exit_code"])
        return True

    def run_hook(self, pod: ManagedPod, hook: Hook, on_done: Callable[[ManagedPod, Hook, Result], None]) -> None:
        """Run a lifecycle hook; `on_done` is called in another thread."""

        async def run() -> None:
            on_done(pod, hook, await self._hook(pod, hook))

        self._thread.spawn(run())

    async def _hook(self, pod: ManagedPod, hook: Hook) -> Result:
        spec = pod.life.containers[hook.container].spec["lifecycle"][hook.name]
        if "sleep" in spec:
            await asyncio.sleep(min(spec["sleep"]["seconds"], hook.timeout_s))
            return Result(True)
        handler = handler_of(spec, pod.life.containers[hook.container].spec)
        if handler is None:
            return Result(True)
        if not isinstance(handler, Exec):
            return await check(Probe(handler, timeout_s=hook.timeout_s), _target(pod))
        try:
            return await self._execute(pod, hook.container, handler.command, hook.timeout_s)
        except asyncio.TimeoutError:
            return Result(False, f"command timed out after {hook.timeout_s:g}s")

    async def _probe(self, key: str, command: Sequence[str], timeout_s: float) -> Result:
        """In the probes' thread: an exec probe of this container."""
        pod, container = self._pods.get(key), key.partition("/")[2]
        if pod is None:
            return Result(False, "the container has ended")
        if pod.is_served(container):
            return Result(True, "there is no program here to run it in, only what answers in its place")
        return await self._execute(pod, container, command, timeout_s)

    async def _execute(self, pod: ManagedPod, container: str, command: Sequence[str], timeout_s: float) -> Result:
        """In the probes' thread: have init run a command in a container."""
        number = next(self._numbers)
        id = f"{_EXEC_PREFIX}{number}/{pod.uid}/{container}"
        log = container_log.directory(self._run, pod.uid) / f"{_EXEC_PREFIX}{number}.log"
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        self._waiting[id] = loop, future
        if pod.is_served(container):
            confine.prepare_scratch(pod.uid, pod.etc())
        self._runtime.send(pod.process_request(id, container, tuple(command), {}, str(log)))
        try:
            code = await asyncio.wait_for(future, timeout_s)
            return Result(True) if code == 0 else Result(False, _output(log) or f"exit status {code}")
        except asyncio.TimeoutError:
            self._runtime.signal(id, 9)
            raise
        finally:
            log.unlink(missing_ok=True)


def _output(log: Path) -> str:
    return container_log.text(log.read_bytes())[:_LONGEST_MESSAGE].decode(errors="replace") if log.exists() else ""


def _target(pod: ManagedPod) -> Target:
    return Target(str(pod.pod["status"]["podIP"]), f"{rootfs.NETNS}/{pod.node}")


def _settle(future: asyncio.Future[int], code: int) -> None:
    if not future.done():
        future.set_result(code)
