"""The life of a pod's containers: what should start, stop or start again, and when. No I/O, no clock of its own.

The rules are the kubelet's (kubernetes.io, Pod Lifecycle): init containers one after the other, each to success;
one with restartPolicy Always is a sidecar, which only has to have started; then all others at once; a container
that ends starts again as the restart policy says, after a back-off.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from topo.back_off import BackOff, RestartPolicy, restarts

Phase = Literal["waiting", "starting", "running", "terminated"]
DEFAULT_GRACE_S = 30


@dataclass(slots=True)
class Container:
    """One container of a pod. Times in epoch seconds; `run` counts its starts from 0."""

    name: str
    spec: Mapping[str, Any]
    init: bool
    sidecar: bool
    phase: Phase = "waiting"
    reason: str = "ContainerCreating"
    message: str = ""
    run: int = 0
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    last_exit: tuple[int, float, float] | None = None
    """Exit code, start and end of the run before."""
    back_off: BackOff = field(default_factory=BackOff)
    started: bool = False
    """Its startup probe, if it has one, has succeeded."""
    ready: bool = False
    """Running, and its readiness probe, if it has one, succeeds."""

    @property
    def done(self) -> bool:
        """An init container that has succeeded, or a sidecar that has started: the next one may go on."""
        if self.sidecar:
            return self.phase == "running" and self.started
        return self.phase == "terminated" and self.exit_code == 0


@dataclass(frozen=True, slots=True)
class Start:
    """Start this container, as its run number `run`."""

    container: str
    run: int


@dataclass(frozen=True, slots=True)
class Signal:
    """Send a signal to the process of a container."""

    container: str
    run: int
    number: int


Action = Start | Signal


class PodLife:
    """All containers of one pod."""

    def __init__(self, pod: Mapping[str, Any]) -> None:
        spec = pod["spec"]
        self.policy: RestartPolicy = spec.get("restartPolicy", "Always")
        self.grace_s: float = spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE_S)
        self.containers = {
            container.name: container
            for container in (
                *(_container(each, init=True) for each in spec.get("initContainers") or ()),
                *(_container(each, init=False) for each in spec["containers"]),
            )
        }
        self._stop_since: float | None = None
        self._signalled: set[tuple[str, int]] = set()

    @property
    def init_containers(self) -> list[Container]:
        return [container for container in self.containers.values() if container.init]

    @property
    def app_containers(self) -> list[Container]:
        return [container for container in self.containers.values() if not container.init]

    @property
    def initialized(self) -> bool:
        return all(container.done for container in self.init_containers)

    @property
    def stopping(self) -> bool:
        return self._stop_since is not None

    @property
    def stopped(self) -> bool:
        """Nothing of it runs any more, and nothing will."""
        phases = {container.phase for container in self.containers.values()}
        return self.stopping and phases <= {"waiting", "terminated"}

    @property
    def failed(self) -> bool:
        """An init container failed for good."""
        return any(
            container.phase == "terminated" and container.exit_code != 0 and self.policy == "Never"
            for container in self.init_containers
            if not container.sidecar
        )

    def advance(self, now: float) -> list[Action]:
        """What is to be done now. The caller reports what came of it with the methods below."""
        if self.stopping:
            return self._stop_actions(now)
        return [
            Start(container.name, container.run + (container.phase == "terminated"))
            for container in self._wanted()
            if self._may_start(container, now)
        ]

    def next_look(self) -> float | None:
        """When `advance` should be asked again even if nothing happens; None: no need."""
        if self._stop_since is not None:
            return self._stop_since + self.grace_s
        waits = [
            container.back_off.due(container.finished_at)
            for container in self._wanted()
            if container.phase == "terminated" and self._restarts(container)
        ]
        return min(waits, default=None)

    def stop(self, now: float, grace_s: float | None = None) -> None:
        """The pod is to end: SIGTERM to all, SIGKILL after the grace period."""
        if self._stop_since is None:
            self._stop_since = now
            if grace_s is not None:
                self.grace_s = grace_s

    def began(self, name: str, now: float) -> None:
        """The container runs."""
        container = self.containers[name]
        container.phase, container.reason, container.message = "running", "", ""
        container.started_at = now
        container.started = "startupProbe" not in container.spec
        container.ready = container.started and "readinessProbe" not in container.spec

    def ended(self, name: str, exit_code: int, at: float, message: str = "") -> None:
        """The container's process ended, or could not be started."""
        container = self.containers[name]
        if container.phase != "running":
            container.started_at = at
        container.phase, container.exit_code, container.finished_at = "terminated", exit_code, at
        container.reason = "Completed" if exit_code == 0 else "Error"
        container.message = message
        container.started = container.ready = False

    def starting(self, name: str, now: float) -> None:
        """The start that `advance` asked for is under way."""
        container = self.containers[name]
        if container.phase == "terminated":
            container.last_exit = (container.exit_code, container.started_at, container.finished_at)
            container.back_off = container.back_off.after_restart(container.finished_at, now)
            container.run += 1
        container.phase = "starting"

    def adopt(self, name: str, run: int) -> None:
        """The container was started by an agent before this one: its run with that number."""
        container = self.containers[name]
        container.run, container.phase = run, "starting"

    def _wanted(self) -> Iterable[Container]:
        """The containers that should run or have run by now, in order."""
        for container in self.init_containers:
            yield container
            if not container.done:
                return
        yield from self.app_containers

    def _restarts(self, container: Container) -> bool:
        policy: RestartPolicy = "Always" if container.sidecar else self.policy
        return restarts(policy, container.exit_code, init=container.init and not container.sidecar)

    def _may_start(self, container: Container, now: float) -> bool:
        if container.phase == "waiting":
            return True
        if container.phase != "terminated" or not self._restarts(container):
            return False
        return container.back_off.due(container.finished_at) <= now

    def _stop_actions(self, now: float) -> list[Action]:
        assert self._stop_since is not None
        number = signal.SIGKILL if now >= self._stop_since + self.grace_s else signal.SIGTERM
        actions: list[Action] = []
        for container in self.containers.values():
            key = (container.name, number)
            if container.phase in ("starting", "running") and key not in self._signalled:
                self._signalled.add(key)
                actions.append(Signal(container.name, container.run, number))
        return actions


def _container(spec: Mapping[str, Any], init: bool) -> Container:
    return Container(spec["name"], spec, init, sidecar=init and spec.get("restartPolicy") == "Always")
