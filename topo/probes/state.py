"""What a row of results means. Pure: times come in as arguments, in seconds of any one clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from topo.probes.spec import ContainerProbes, Probe, ProbeKind


@dataclass(frozen=True, slots=True)
class Result:
    """Of one attempt. `message` is what a Kubernetes event would say."""

    ok: bool
    message: str = ""


_SETTLED_AT_FIRST: dict[ProbeKind, bool | None] = {"readiness": False, "liveness": True, "startup": None}
"""What holds before there are results: not ready, alive, and not known whether started."""


@dataclass(frozen=True, slots=True)
class ProbeState:
    """One probe of one container.

    `settled` is what holds: the last outcome that came often enough in a row. `due` is when to try next, `streak`
    how often the last outcome, `last`, came in a row.
    """

    probe: Probe
    settled: bool | None
    due: float
    last: bool | None = None
    streak: int = 0
    message: str = ""

    def after(self, result: Result, now: float) -> ProbeState:
        """The state after an attempt that ended at `now`. An attempt longer than the period delays the next one."""
        streak = self.streak + 1 if result.ok == self.last else 1
        threshold = self.probe.success_threshold if result.ok else self.probe.failure_threshold
        return replace(
            self,
            settled=result.ok if streak >= threshold else self.settled,
            due=max(now, self.due + self.probe.period_s),
            last=result.ok,
            streak=streak,
            message=result.message,
        )


def first(kind: ProbeKind, probe: Probe, started_at: float, now: float) -> ProbeState:
    """The state before the first attempt, at `now`, on a container that started at `started_at`."""
    return ProbeState(probe, _SETTLED_AT_FIRST[kind], max(now, started_at + probe.initial_delay_s))


@dataclass(frozen=True, slots=True)
class Health:
    """What follows for the container's status. `alive` False: it is to be restarted. `message`: why it is not well."""

    started: bool
    ready: bool
    alive: bool = True
    message: str = ""


@dataclass(frozen=True, slots=True)
class ContainerState:
    """The probes of one container together.

    "If a startup probe is configured, it disables liveness and readiness checks until it succeeds." Afterwards it
    is not asked again. A container that failed liveness or startup is not asked anything until it was restarted.
    """

    probes: ContainerProbes
    started_at: float
    states: dict[ProbeKind, ProbeState] = field(default_factory=dict)

    @staticmethod
    def new(probes: ContainerProbes, started_at: float, now: float) -> ContainerState:
        state = ContainerState(probes, started_at)
        if probes.startup is not None:
            return replace(state, states={"startup": first("startup", probes.startup, started_at, now)})
        return state._begun(now)

    def after(self, kind: ProbeKind, result: Result, now: float) -> ContainerState:
        state = replace(self, states={**self.states, kind: self.states[kind].after(result, now)})
        begins = kind == "startup" and state.states["startup"].settled
        return state._begun(now) if begins else state

    def _begun(self, now: float) -> ContainerState:
        states = dict(self.states)
        if self.probes.readiness is not None:
            states["readiness"] = first("readiness", self.probes.readiness, self.started_at, now)
        if self.probes.liveness is not None:
            states["liveness"] = first("liveness", self.probes.liveness, self.started_at, now)
        return replace(self, states=states)

    @property
    def health(self) -> Health:
        startup, readiness, liveness = (self.states.get(kind) for kind in ("startup", "readiness", "liveness"))
        started = self.probes.startup is None or bool(startup and startup.settled)
        failed = [state for state in (startup, liveness) if state is not None and state.settled is False]
        ready = started and not failed and (self.probes.readiness is None or bool(readiness and readiness.settled))
        unwell = [*failed, *(state for state in (readiness, startup) if state is not None and not state.settled)]
        return Health(started, ready, not failed, unwell[0].message if unwell else "")

    @property
    def asked(self) -> tuple[ProbeKind, ...]:
        """The probes that go on being asked."""
        health = self.health
        if not health.alive:
            return ()
        return tuple(kind for kind in self.states if kind != "startup" or not health.started)
