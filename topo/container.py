"""One container of a pod, as the agent keeps it: what it is, how far it is, how its end goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from topo.back_off import BackOff

Phase = Literal["waiting", "starting", "running", "terminated"]
HookName = Literal["postStart", "preStop"]
HookState = Literal["", "wanted", "asked", "done"]
AFTER_HOOK_S = 2.0
"""What a container has between SIGTERM and SIGKILL at least, where its preStop hook took the whole grace period
(kubelet, minimumGracePeriodInSeconds)."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a container that is over. Times in epoch seconds."""

    number: int
    exit_code: int
    started_at: float
    finished_at: float
    message: str = ""


@dataclass(slots=True)
class Ending:
    """A container that is to end: since when, how long it may take, and how far that is."""

    since: float
    grace_s: float
    pre_stop: HookState = ""
    terminated_at: float | None = None
    killed: bool = False
    announced: bool = False
    """Whether somebody has told of it."""

    @property
    def deadline(self) -> float:
        return self.since + self.grace_s

    @property
    def kill_at(self) -> float:
        if self.terminated_at is not None and self.pre_stop == "asked":
            return max(self.deadline, self.terminated_at + AFTER_HOOK_S)
        return self.deadline


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
    last_run: Run | None = None
    """The one before."""
    back_off: BackOff = field(default_factory=BackOff)
    post_start: HookState = ""
    ending: Ending | None = None
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

    @property
    def alive(self) -> bool:
        return self.phase in ("starting", "running")

    def has_hook(self, name: HookName) -> bool:
        return bool((self.spec.get("lifecycle") or {}).get(name))

    def end(self, since: float, grace_s: float) -> None:
        """It is to end. Once more: perhaps sooner."""
        if self.ending is None:
            self.ending = Ending(since, grace_s)
        elif since + grace_s < self.ending.deadline:
            self.ending.grace_s = since + grace_s - self.ending.since


def container_of(spec: Mapping[str, Any], init: bool) -> Container:
    """Of an entry of spec.containers, or (`init`) spec.initContainers."""
    return Container(spec["name"], spec, init, sidecar=init and spec.get("restartPolicy") == "Always")
