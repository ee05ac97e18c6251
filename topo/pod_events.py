"""The Events that the node agent tells about its pods, in the kubelet's words.

They are told by a thread of their own, and not before a burst of changes is over: nobody waits for an Event, while a
pod that is ready is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Literal

from cluster.client import Client
from cluster.quiet import LONGEST_WAIT_S, QUIET_S
from topo import pod_status, resolv_conf
from topo.containers import Action, Hook, Start
from topo.managed_pod import ManagedPod
from topo.probes import ProbeKind

_AT_ONCE = 200
_PAUSE_S = 0.02
_BURST, _REFILL_S = 25, 300.0
"""Of Events about one object, as client-go's EventSourceObjectSpamFilter lets through."""

EventType = Literal["Normal", "Warning"]
Event = Mapping[str, Any]


@dataclass(slots=True)
class SpamFilter:
    """How many Events each pod may still have told about it."""

    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def lets_through(self, uid: str, now: float) -> bool:
        left, at = self._left.get(uid, (float(_BURST), now))
        left = min(_BURST, left + (now - at) / _REFILL_S)
        self._left[uid] = (left - 1, now) if left >= 1 else (left, now)
        return left >= 1

    def forget(self, uid: str) -> None:
        self._left.pop(uid, None)


class PodEvents:
    """Tells Events by `api`, in the order of the calls."""

    def __init__(self, api: Client, clock: Callable[[], float] = time.time) -> None:
        self._api, self._clock = api, clock
        self._filter = SpamFilter()
        self._queue: SimpleQueue[Event] = SimpleQueue()
        Thread(target=self._tell, name="events", daemon=True).start()

    def acting(self, pod: ManagedPod, action: Action) -> None:
        """What is about to be done with a container."""
        container = pod.life.containers[action.container]
        if isinstance(action, Start):
            if not pod.was_running(container.name):
                for warning in resolv_conf.of_pod(pod.pod, pod.cluster).warnings:
                    self._put(pod, None, "Warning", "DNSConfigForming", warning)
                image = f'Container image "{container.spec.get("image", "")}" already present on machine'
                self._put(pod, container.name, "Normal", "Pulled", image)
                self._put(pod, container.name, "Normal", "Created", f"Created container: {container.name}")
        elif pod.life.stopping and container.ending is not None and not container.ending.announced:
            container.ending.announced = True
            self._put(pod, container.name, "Normal", "Killing", f"Stopping container {container.name}")

    def cannot_start(self, pod: ManagedPod, container: str, error: str) -> None:
        self._put(pod, container, "Warning", "Failed", f"Error: {error}")

    def started(self, pod: ManagedPod, container: str) -> None:
        self._put(pod, container, "Normal", "Started", f"Started container {container}")

    def ended(self, pod: ManagedPod, container: str) -> None:
        if pod_status.waits_in_back_off(pod.life.containers[container], pod.life):
            message = f"Back-off restarting failed container {container} in pod {pod_status.full_name(pod.pod)}"
            self._put(pod, container, "Warning", "BackOff", message)

    def unhealthy(self, pod: ManagedPod, container: str, kind: ProbeKind, message: str) -> None:
        self._put(pod, container, "Warning", "Unhealthy", f"{kind.capitalize()} probe failed: {message}")

    def failed_probe(self, pod: ManagedPod, container: str, kind: ProbeKind) -> None:
        message = f"Container {container} failed {kind} probe, will be restarted"
        self._put(pod, container, "Normal", "Killing", message)

    def failed_hook(self, pod: ManagedPod, hook: Hook, error: str) -> None:
        name = hook.name[0].upper() + hook.name[1:]
        self._put(pod, hook.container, "Warning", f"Failed{name}Hook", f"{name}Hook failed: {error}")

    def forget(self, pod: ManagedPod) -> None:
        """The pod is gone."""
        self._filter.forget(pod.uid)

    def _put(self, pod: ManagedPod, container: str | None, type: EventType, reason: str, message: str) -> None:
        if self._filter.lets_through(pod.uid, self._clock()):
            self._queue.put({
                "involved": pod.reference(container), "type": type, "reason": reason, "message": message,
                "component": "kubelet", "host": pod.node,
            })  # fmt: skip

    def _tell(self) -> None:
        while True:
            events = self._burst()
            for start in range(0, len(events), _AT_ONCE):
                self._api.post_events(events[start : start + _AT_ONCE])
                time.sleep(_PAUSE_S)

    def _burst(self) -> list[Event]:
        """What comes until it is quiet for a moment."""
        events = [self._queue.get()]
        deadline = time.monotonic() + LONGEST_WAIT_S
        try:
            while time.monotonic() < deadline:
                events.append(self._queue.get(timeout=QUIET_S))
        except Empty:
            pass
        return events
