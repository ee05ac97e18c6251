"""A kubelet for unit tests: its server in a thread, pods that a test names, processes of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import samples
from kubelet_client import TIMEOUT_S, Kubelet

from cluster.run_directory import KUBELET_SOCKET
from topo import container_log, netns
from topo.kubelet import targets
from topo.kubelet.server import Server
from topo.places import Room
from topo.sources import Sources


def running_pod(name: str, container: str, state: dict[str, Any] | None = None) -> dict[str, Any]:
    """A Pod object with one container in this state (running, if none is given)."""
    status = {"name": container, "state": {"running": {}} if state is None else state}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {"nodeName": "worker", "containers": [{"name": container, "image": "busybox"}]},
        "status": {"phase": "Running", "containerStatuses": [status], "podIPs": [{"ip": "10.244.1.2"}]},
    }


class Site:
    """`pods` are all that there are, by name. What is executed in them runs right here."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.pods: dict[str, dict[str, Any]] = {}
        self.kubelet = Kubelet(run / KUBELET_SOCKET)
        self._logs: dict[str, int] = {}

    def add(self, name: str, state: dict[str, Any] | None = None) -> None:
        self.pods[name] = running_pod(name, "web", state)

    def write(self, pod: str, data: bytes, run: int = 0, stream: container_log.Stream = "stdout") -> None:
        container_log.append(self._log(pod, run), stream, data)

    def end(self, pod: str, run: int = 0) -> None:
        container_log.seal(self._log(pod, run))

    def _log(self, pod: str, run: int) -> int:
        file = container_log.path(self.run, f"uid-{pod}", "web", run)
        if file not in self._logs:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            self._logs[file] = container_log.open_for_writing(file)
        return self._logs[file]

    def close(self) -> None:
        for fd in self._logs.values():
            os.close(fd)


@contextlib.contextmanager
def serving(run: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    site = Site(run)

    async def find_pod(_api: Path, _namespace: str, name: str) -> targets.Pod:
        if name not in site.pods:
            raise targets.NotThere(404, f'pod "{name}" not found')
        return site.pods[name]

    async def sources(_run: Path) -> Sources:
        return Sources()

    monkeypatch.setattr(targets, "find_pod", find_pod)
    monkeypatch.setattr(targets, "sources", sources)
    monkeypatch.setattr(Room, "enter", lambda _room: None)
    monkeypatch.setattr(netns, "visit", lambda _path: contextlib.nullcontext())
    loop = asyncio.new_event_loop()
    kubelet = Server(run, samples.cluster())
    listening = loop.run_until_complete(asyncio.start_unix_server(kubelet.serve, run / KUBELET_SOCKET))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        loop.call_soon_threadsafe(listening.close)
        asyncio.run_coroutine_threadsafe(_end_tasks(), loop).result(TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(TIMEOUT_S)
        site.close()


async def _end_tasks() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
