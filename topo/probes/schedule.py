"""Which probe is due when, for thousands of containers: one heap. Pure: no clock, no I/O."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count

from topo.probes.spec import ContainerProbes, Probe, ProbeKind
from topo.probes.state import ContainerState, Health, Result


@dataclass(frozen=True, slots=True)
class Due:
    """An attempt to make now. `generation` tells a container from its restarted self."""

    key: str
    generation: int
    kind: ProbeKind
    probe: Probe


class Schedule:
    """Containers by key, and their attempts in the order of time. An attempt taken is not due until it is reported."""

    def __init__(self) -> None:
        self._containers: dict[str, tuple[int, ContainerState]] = {}
        self._heap: list[tuple[float, int, Due]] = []
        self._number = count()

    def add(self, key: str, probes: ContainerProbes, started_at: float, now: float) -> Health:
        """Begin with a container that started at `started_at`, or again with one that was restarted."""
        generation = next(self._number)
        state = ContainerState.new(probes, started_at, now)
        self._containers[key] = (generation, state)
        for kind in state.asked:
            self._push(key, generation, kind, state)
        return state.health

    def remove(self, key: str) -> None:
        """Idempotent. What is in the heap is passed over when its time comes."""
        self._containers.pop(key, None)

    def next_due(self) -> float | None:
        """When the next attempt is to be made; None: none."""
        while self._heap and not self._is_current(self._heap[0][2]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float) -> list[Due]:
        """The attempts to make now."""
        taken = []
        while (due := self.next_due()) is not None and due <= now:
            taken.append(heapq.heappop(self._heap)[2])
        return taken

    def report(self, due: Due, result: Result, now: float) -> Health | None:
        """Put in the result of an attempt; the container's health where that changed it."""
        if not self._is_current(due):
            return None
        generation, before = self._containers[due.key]
        after = before.after(due.kind, result, now)
        self._containers[due.key] = (generation, after)
        for kind in after.asked:
            if kind == due.kind or kind not in before.asked:
                self._push(due.key, generation, kind, after)
        new, old = after.health, before.health
        changed = (new.started, new.ready, new.alive) != (old.started, old.ready, old.alive)
        return new if changed else None

    def _push(self, key: str, generation: int, kind: ProbeKind, state: ContainerState) -> None:
        due = Due(key, generation, kind, state.states[kind].probe)
        heapq.heappush(self._heap, (state.states[kind].due, next(self._number), due))

    def _is_current(self, due: Due) -> bool:
        generation, state = self._containers.get(due.key, (None, None))
        return generation == due.generation and state is not None and due.kind in state.asked
