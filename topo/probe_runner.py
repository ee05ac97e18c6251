"""Probes of the agent's containers: what to ask, from where, and the commands of exec probes, which init runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from topo import rootfs
from topo.managed_pod import ManagedPod
from topo.probes import Health, ProbingThread, Result, Target, probes_of
from topo.runtime_client import Runtime

_EXEC_PREFIX = "probe-"


class ProbeRunner:
    """Probes containers from when they are added until they are removed; all methods belong to the agent's thread.

    `on_health(key, health)` is called in another thread; the key is "<pod uid>/<container>".
    """

    def __init__(
        self,
        on_health: Callable[[str, Health], None],
        on_error: Callable[[Exception], None],
        runtime: Runtime,
        run: Path,
    ) -> None:
        self._runtime = runtime
        self._run = run
        self._pods: dict[str, ManagedPod] = {}
        self._waiting: dict[str, tuple[asyncio.AbstractEventLoop, asyncio.Future[int]]] = {}
        self._numbers = count()
        self._thread = ProbingThread(on_health, self._execute, on_error, clock=time.time)

    def add(self, pod: ManagedPod, container: str, started_at: float) -> None:
        """The container runs: begin to probe it, if it has probes."""
        probes = probes_of(pod.life.containers[container].spec)
        if not probes:
            return
        key = f"{pod.uid}/{container}"
        self._pods[key] = pod
        target = Target(str(pod.pod["status"]["podIP"]), f"{rootfs.NETNS}/{pod.pod['spec']['nodeName']}")
        self._thread.watch(key, probes, target, started_at)

    def remove(self, uid: str, container: str) -> None:
        """The container ended. Idempotent."""
        key = f"{uid}/{container}"
        if self._pods.pop(key, None) is not None:
            self._thread.forget(key)

    def on_runtime(self, event: Mapping[str, Any]) -> bool:
        """Take an event of a process that was started for a probe; False if it is none."""
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

    async def _execute(self, key: str, command: Sequence[str], timeout_s: float) -> Result:
        """In the probes' thread: have init run a command in a container."""
        pod, container = self._pods[key], key.partition("/")[2]
        if pod.is_served(container):
            return Result(True, "there is no program here to run it in, only what answers in its place")
        id = f"{_EXEC_PREFIX}{next(self._numbers)}/{key}"
        log = self._run / "pods" / pod.uid / f"{container}-probe.log"
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        self._waiting[id] = loop, future
        self._runtime.send(pod.process_request(id, container, tuple(command), {}, str(log)))
        try:
            code = await asyncio.wait_for(future, timeout_s)
        except asyncio.TimeoutError:
            self._runtime.signal(id, 9)
            raise
        return Result(code == 0, f"exit status {code}")


def _settle(future: asyncio.Future[int], code: int) -> None:
    if not future.done():
        future.set_result(code)
