"""The life of a pod's containers: what should start, stop or start again, and when. No I/O, no clock of its own.

The rules are the kubelet's (kubernetes.io, Pod Lifecycle): init containers one after the other, each to success;
one with restartPolicy Always is a sidecar, which only has to have started; then all others at once; a container
that ends starts again as the restart policy says, after a back-off. The end of a pod: its containers get SIGTERM,
after their preStop hooks, and SIGKILL when the grace period is over; sidecars go last, in reverse order.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from topo.back_off import BackOff, RestartPolicy, restarts
from topo.container import Container, Ending, HookName, Run, container_of

DEFAULT_GRACE_S = 30


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


@dataclass(frozen=True, slots=True)
class Hook:
    """Run a lifecycle hook of a container, for `timeout_s` at most, and say what came of it (`PodLife.hooked`)."""

    container: str
    run: int
    name: HookName
    timeout_s: float


Action = Start | Signal | Hook


class PodLife:
    """All containers of one pod."""

    def __init__(self, pod: Mapping[str, Any]) -> None:
        spec = pod["spec"]
        self.policy: RestartPolicy = spec.get("restartPolicy", "Always")
        grace_s = spec.get("terminationGracePeriodSeconds")
        self.grace_s: float = DEFAULT_GRACE_S if grace_s is None else grace_s
        inits = spec.get("initContainers") or ()
        self.containers = {
            container.name: container
            for container in (
                *(container_of(each, init=True) for each in inits),
                *(container_of(each, init=False) for each in spec["containers"]),
            )
        }
        if inits:
            for container in self.containers.values():
                container.reason = "PodInitializing"
        self._active_s: float | None = spec.get("activeDeadlineSeconds")
        self._active_since: float | None = None
        self._stop_since: float | None = None
        self.deleted = False
        """It is to end because its Pod is deleted, and to be forgotten then."""
        self.failure: tuple[str, str] | None = None
        """Why the pod has failed as a whole: reason and message."""

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
        return self.stopping and not any(container.alive for container in self.containers.values())

    @property
    def gone(self) -> bool:
        """It has ended because its Pod is deleted."""
        return self.stopped and self.deleted

    @property
    def failed(self) -> bool:
        """An init container failed for good, or the pod as a whole has."""
        return self.failure is not None or any(
            container.phase == "terminated" and container.exit_code != 0 and self.policy == "Never"
            for container in self.init_containers
            if not container.sidecar
        )

    @property
    def finished(self) -> bool:
        """All that it was to do is done: its containers have ended for good."""
        return all(each.phase == "terminated" and not self.restarts(each) for each in self.app_containers)

    def activate(self, since: float) -> None:
        """The pod is on its node since then: what activeDeadlineSeconds counts from."""
        self._active_since = since

    def advance(self, now: float) -> list[Action]:
        """What is to be done now. The caller reports what came of it with the methods below."""
        self._expire(now)
        if self._stop_since is not None:
            for container in self._may_end():
                container.end(self._stop_since, self.grace_s)
        actions: list[Action] = []
        for container in self.containers.values():
            if container.ending is not None:
                actions += _ending_actions(container, container.ending, now)
            elif container.post_start == "wanted":
                container.post_start = "asked"
                actions.append(Hook(container.name, container.run, "postStart", self.grace_s))
        if self._stop_since is None:
            actions += [
                Start(container.name, container.run + (container.phase == "terminated"))
                for container in self._wanted()
                if self._may_start(container, now)
            ]
        return actions

    def next_look(self) -> float | None:
        """When `advance` should be asked again even if nothing happens; None: no need."""
        looks = [look for each in self.containers.values() if (look := _next_look(each)) is not None]
        if self._stop_since is None:
            looks += [
                container.back_off.due(container.finished_at)
                for container in self._wanted()
                if container.phase == "terminated" and self.restarts(container)
            ]
            if (expiry := self._expiry) is not None and not self.finished:
                looks.append(expiry)
        return min(looks, default=None)

    def stop(self, now: float, grace_s: float | None = None, deleted: bool = False) -> None:
        """The pod is to end. Once more: perhaps sooner, never later."""
        self.deleted |= deleted
        if self._stop_since is None:
            self._stop_since = now
            if grace_s is not None:
                self.grace_s = grace_s
        elif grace_s is not None and now + grace_s < self._stop_since + self.grace_s:
            self.grace_s = now + grace_s - self._stop_since

    def restart(self, name: str, now: float, grace_s: float | None = None) -> None:
        """The container is to end, and then whatever the restart policy says."""
        container = self.containers[name]
        if container.ending is None:
            container.end(now, self.grace_s if grace_s is None else grace_s)

    def kills(self) -> list[Action]:
        """What ends all of it at once, as a power cut does."""
        return [Signal(each.name, each.run, signal.SIGKILL) for each in self.containers.values() if each.alive]

    def rebooted(self) -> None:
        """Its node is back: nobody waits because of what the node did."""
        for container in self.containers.values():
            container.back_off = BackOff()

    def began(self, name: str, now: float) -> None:
        """The container's process is there. It runs at once, or when its postStart hook is done."""
        container = self.containers[name]
        container.started_at = now
        if container.has_hook("postStart") and container.post_start != "done":
            container.post_start = "wanted"
        else:
            self._runs(container)

    def hooked(self, action: Hook, now: float, error: str = "") -> bool:
        """A hook is done; `error`: it failed. False when that means nothing any more."""
        container = self.containers[action.container]
        if container.run != action.run or not container.alive:
            return False
        if action.name == "preStop":
            if container.ending is not None and container.ending.terminated_at is None:
                container.ending.pre_stop = "done"
            return True
        container.post_start = "done"
        if error:
            self.restart(action.container, now)
        else:
            self._runs(container)
        return True

    def ended(self, name: str, exit_code: int, at: float, message: str = "") -> None:
        """The container's process ended, or could not be started."""
        container = self.containers[name]
        if container.phase != "running" and container.post_start == "":
            container.started_at = at
        container.phase, container.exit_code, container.finished_at = "terminated", exit_code, at
        container.reason = "Completed" if exit_code == 0 else "Error"
        container.message = message
        container.started = container.ready = False
        container.post_start, container.ending = "", None

    def starting(self, name: str, now: float) -> None:
        """The start that `advance` asked for is under way."""
        container = self.containers[name]
        if container.phase == "terminated":
            container.last_run = Run(
                container.run, container.exit_code, container.started_at, container.finished_at, container.message
            )
            container.back_off = container.back_off.after_restart(container.finished_at, now)
            container.run += 1
        container.phase = "starting"

    def cannot_start(self, name: str, now: float, reason: str, message: str) -> None:
        """The start that `advance` asked for has to wait for something outside the pod."""
        container = self.containers[name]
        self.starting(name, now)
        container.phase, container.reason, container.message = "waiting", reason, message

    def adopt(self, name: str, run: int, started_at: float) -> None:
        """The container was started by an agent before this one, as its run with that number, and its hook has run."""
        container = self.containers[name]
        container.run, container.phase, container.post_start = run, "starting", "done"
        self.began(name, started_at)

    def restarts(self, container: Container) -> bool:
        """Whether a container that has ended will start again."""
        if self.stopping:
            return False
        policy: RestartPolicy = "Always" if container.sidecar else self.policy
        return restarts(policy, container.exit_code, init=container.init and not container.sidecar)

    def _runs(self, container: Container) -> None:
        container.phase, container.reason, container.message = "running", "", ""
        container.started = "startupProbe" not in container.spec
        container.ready = container.started and "readinessProbe" not in container.spec

    @property
    def _expiry(self) -> float | None:
        if self._active_s is None or self._active_since is None:
            return None
        return self._active_since + self._active_s

    def _expire(self, now: float) -> None:
        expiry = self._expiry
        if expiry is None or now < expiry or self.stopping or self.finished:
            return
        self.failure = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
        self.stop(now)

    def _wanted(self) -> Iterable[Container]:
        """The containers that should run or have run by now, in order."""
        for container in self.init_containers:
            yield container
            if not container.done:
                return
        yield from self.app_containers

    def _may_start(self, container: Container, now: float) -> bool:
        if container.phase == "waiting":
            return True
        if container.phase != "terminated" or not self.restarts(container):
            return False
        return container.back_off.due(container.finished_at) <= now

    def _may_end(self) -> Iterable[Container]:
        """The containers whose end may begin: a sidecar's when nothing lives any more that might use it."""
        others = [container for container in self.containers.values() if not container.sidecar]
        yield from (container for container in others if container.alive)
        if any(container.alive for container in others):
            return
        for container in reversed(self.init_containers):
            if container.alive:
                yield container
                return


def _ending_actions(container: Container, ending: Ending, now: float) -> list[Action]:
    if not container.alive:
        return []
    in_time = now < ending.deadline
    if ending.terminated_at is None and in_time:
        if ending.pre_stop == "" and container.has_hook("preStop") and container.phase == "running":
            ending.pre_stop = "asked"
            return [Hook(container.name, container.run, "preStop", ending.deadline - now)]
        if ending.pre_stop == "asked":
            return []
    actions: list[Action] = []
    if ending.terminated_at is None:
        ending.terminated_at = now
        actions.append(Signal(container.name, container.run, signal.SIGTERM))
    if now >= ending.kill_at and not ending.killed:
        ending.killed = True
        actions.append(Signal(container.name, container.run, signal.SIGKILL))
    return actions


def _next_look(container: Container) -> float | None:
    ending = container.ending
    if ending is None or not container.alive or ending.killed:
        return None
    return ending.deadline if ending.terminated_at is None else ending.kill_at
