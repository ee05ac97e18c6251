"""Does what the lives of pods want with their containers: by init, by the responder, by the thread of probes.

A process starts when init says so, a served container when the responder has answered; `Happened` is what is known at
once.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from topo import confine, volumes
from topo.containers import Action, Hook, Signal, Start
from topo.managed_pod import ManagedPod
from topo.probe_runner import ProbeRunner
from topo.probes import Result
from topo.runtime_client import Responder, Runtime
from topo.servers import ServedContainer

_LOG = logging.getLogger("agent")

Wanted = tuple[ManagedPod, Action]
OnHook = Callable[[ManagedPod, Hook, Result], None]


@dataclass(frozen=True, slots=True)
class Happened:
    """A container runs (`exit_code` is None) or has ended."""

    pod: ManagedPod
    container: str
    exit_code: int | None = None
    message: str = ""


class ContainerRunner:
    """`on_hook` is told, in another thread, what came of a hook."""

    def __init__(self, run: Path, runtime: Runtime, responder: Responder, probes: ProbeRunner, on_hook: OnHook) -> None:
        self._run, self._runtime, self._responder = run, runtime, responder
        self._probes, self._on_hook = probes, on_hook

    def perform(self, wanted: Iterable[Wanted]) -> list[Happened]:
        """Do all of it."""
        serve: dict[str, tuple[ManagedPod, str, ServedContainer]] = {}
        remove: dict[str, tuple[ManagedPod, str]] = {}
        terminate: list[str] = []
        for pod, action in wanted:
            name = action.container
            if isinstance(action, Hook):
                self._probes.run_hook(pod, action, self._on_hook)
            elif not pod.is_served(name):
                self._with_process(pod, action)
            elif isinstance(action, Start):
                description = pod.served_container(name, action.run, self._run)
                serve[description.id] = pod, name, description
            elif action.number == signal.SIGTERM:
                terminate.append(pod.served_id(name))
            else:
                remove[pod.served_id(name)] = pod, name
        if not (serve or remove or terminate):
            return []
        errors = self._responder.change([description for *_, description in serve.values()], remove, terminate)
        _LOG.debug("%d containers are served, %d no longer", len(serve), len(remove) + len(terminate))
        killed = [Happened(pod, name, 128 + signal.SIGKILL) for pod, name in remove.values()]
        return killed + [_served(pod, name, errors.get(id)) for id, (pod, name, _) in serve.items()]

    def _with_process(self, pod: ManagedPod, action: Start | Signal) -> None:
        id = pod.run_id(action.container, action.run)
        if isinstance(action, Signal):
            self._runtime.signal(id, action.number)
        elif id not in pod.known_runs:
            pod.known_runs.add(id)
            confine.prepare_scratch(pod.uid, pod.etc())
            volumes.write(pod.uid, pod.files[action.container])
            self._runtime.send(pod.start_request(action.container, action.run, self._run))


def _served(pod: ManagedPod, container: str, error: str | None) -> Happened:
    if error is None:
        return Happened(pod, container)
    _LOG.error("%s: container %s: %s", pod.key, container, error)
    return Happened(pod, container, 1, error)
