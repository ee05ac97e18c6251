"""The pod and container that a path names, as the API knows them at this moment."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import h11

from cluster.client import PREFIX
from cluster.run_directory import API_SOCKET
from topo import container_log
from topo.kubelet.dial import SocketEnd, patiently
from topo.sources import KINDS, Sources

_API_TIMEOUT_S = 10.0
_PAUSE_S = 0.05

Pod = Mapping[str, Any]


class NotThere(Exception):
    """`status` is the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Target:
    """A container of a pod. `status` is its status as the agent reported it last."""

    pod: Pod
    container: Mapping[str, Any]
    status: Mapping[str, Any]

    @property
    def uid(self) -> str:
        return str(self.pod["metadata"]["uid"])

    @property
    def name(self) -> str:
        return str(self.container["name"])

    @property
    def running(self) -> bool:
        return "running" in (self.status.get("state") or {})


async def find_pod(api: Path, namespace: str, name: str) -> Pod:
    """Raises NotThere."""
    query = urlencode({"kinds": "Pod", "namespace": namespace, "name": name})
    answer = await _get(api, f"{PREFIX}/objects?{query}")
    pods: list[Pod] = answer["objects"]
    if not pods or not pods[0]["spec"].get("nodeName"):
        raise NotThere(404, f'pod "{name}" not found')
    return pods[0]


async def sources(run: Path) -> Sources:
    """What a container takes from other objects. Raises NotThere."""
    answer = await _get(run / API_SOCKET, f"{PREFIX}/objects?{urlencode({'kinds': ','.join(KINDS)})}")
    return Sources(answer["objects"], run)


def container_of(pod: Pod, name: str) -> Target:
    """Raises NotThere."""
    spec, status = pod["spec"], pod.get("status") or {}
    for container in (*spec["containers"], *(spec.get("initContainers") or ())):
        if container["name"] == name:
            known = (*status.get("containerStatuses", ()), *status.get("initContainerStatuses", ()))
            return Target(pod, container, next((one for one in known if one["name"] == name), {}))
    raise NotThere(400, f"container {name} is not valid for pod {pod['metadata']['name']}")


def log_of(run: Path, target: Target, previous: bool = False) -> str:
    """The file of its newest run, or of the one before. Raises NotThere."""
    pod, name = target.pod["metadata"]["name"], target.name
    numbers = container_log.runs(run, target.uid, name)
    if previous:
        if len(numbers) < 2:
            raise NotThere(400, f'previous terminated container "{name}" in pod "{pod}" not found')
        return container_log.path(run, target.uid, name, numbers[-2])
    if not numbers and target.running:
        # Servers write what they have to say a moment later; an empty log is one that can be followed.
        file = container_log.path(run, target.uid, name, int(target.status.get("restartCount", 0)))
        os.makedirs(os.path.dirname(file), exist_ok=True)
        os.close(container_log.open_for_writing(file))
        return file
    if not numbers:
        reason = (target.status.get("state") or {}).get("waiting", {}).get("reason", "ContainerCreating")
        raise NotThere(400, f'container "{name}" in pod "{pod}" is waiting to start: {reason}')
    return container_log.path(run, target.uid, name, numbers[-1])


async def _get(api: Path, target: str) -> Mapping[str, Any]:
    """The JSON that the API server answers on its own socket. Raises NotThere."""
    protocol = h11.Connection(h11.CLIENT)
    request = h11.Request(method="GET", target=target, headers=[("Host", "localhost"), ("Connection", "close")])
    asked = (protocol.send(request) or b"") + (protocol.send(h11.EndOfMessage()) or b"")
    try:
        server = await patiently(lambda: _connected(api), _API_TIMEOUT_S, _PAUSE_S)
        try:
            await server.write(asked)
            status, body = await _answer(protocol, server)
        finally:
            server.abandon()
    except OSError as error:
        raise NotThere(503, f"the API server does not answer: {error}") from error
    if status != 200:
        raise NotThere(503, f"the API server answers {status}: {body.decode(errors='replace')}")
    content: Mapping[str, Any] = json.loads(body)
    return content


async def _connected(api: Path) -> SocketEnd:
    return SocketEnd(*await asyncio.open_unix_connection(str(api)))


async def _answer(protocol: h11.Connection, server: SocketEnd) -> tuple[int, bytes]:
    status, body = 0, bytearray()
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(await server.read())
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return status, bytes(body)
