"""How far an experiment is: a bar with the time left on a terminal; elsewhere one line for each finished run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol

import click

from experiments.scripted.order import PlannedRun

START_S, END_S = 3.0, 0.5
"""About how long a testbed takes to start and to end, before any was seen to."""
_WIDTH = 24


class Progress(Protocol):
    """Who hears how far it is. All seconds are of the clock on the wall."""

    def planned(self, runs: Sequence[PlannedRun], done: int) -> None:
        """All runs; so many were finished before."""

    def step(self, run: PlannedRun, name: str) -> None:
        """A step begins; "" while the testbed starts."""

    def finished(self, run: PlannedRun, error: str | None) -> None:
        """A run is over."""


class Silent:
    """Tells nobody."""

    def planned(self, runs: Sequence[PlannedRun], done: int) -> None:
        pass

    def step(self, run: PlannedRun, name: str) -> None:
        pass

    def finished(self, run: PlannedRun, error: str | None) -> None:
        pass


def estimate_s(run: PlannedRun) -> float:
    """About how long a run takes: a step that goes on beside others takes no time of its own."""
    return START_S + END_S + sum(step.action.seconds() for step in run.variant.steps if step.when.of is None)


class Pace:
    """How long what is left will take: as estimated, times what the runs so far took of their own estimates."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._estimated = self._took = 0.0
        self._since = clock()
        self._left: list[float] = []

    def begin(self, runs: Sequence[PlannedRun]) -> None:
        self._left, self._since = [estimate_s(run) for run in runs], self._clock()

    def finished(self) -> None:
        now = self._clock()
        self._estimated, self._took = self._estimated + self._left.pop(0), self._took + now - self._since
        self._since = now

    @property
    def left_s(self) -> float:
        factor = self._took / self._estimated if self._estimated else 1.0
        return max(0.0, sum(self._left) * factor - (self._clock() - self._since))


class Lines:
    """One line for each run."""

    def __init__(self) -> None:
        self._count, self._number, self._pace = 0, 0, Pace()

    def planned(self, runs: Sequence[PlannedRun], done: int) -> None:
        self._count, self._number = len(runs), done
        self._pace.begin(runs[done:] if done else runs)
        if done:
            click.echo(f"{done} of {len(runs)} runs were finished before", err=True)

    def step(self, run: PlannedRun, name: str) -> None:
        pass

    def finished(self, run: PlannedRun, error: str | None) -> None:
        self._number += 1
        self._pace.finished()
        click.echo(f"run {self._number} of {self._count}: {run.key}{f': {error}' if error else ''}", err=True)


class Bar(Lines):
    """A bar in the last line of a terminal, written anew whenever something happens."""

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        click.echo("\r\033[K", nl=False, err=True)

    def step(self, run: PlannedRun, name: str) -> None:
        full = round(_WIDTH * self._number / max(self._count, 1))
        bar = "█" * full + "·" * (_WIDTH - full)
        text = f"{bar} {self._number}/{self._count}  {clock(self._pace.left_s)} left  {run.key}: {name or 'testbed'}"
        click.echo(f"\r\033[K{text}", nl=False, err=True)

    def finished(self, run: PlannedRun, error: str | None) -> None:
        if error:
            click.echo(f"\r\033[K{run.key}: {error}", err=True)
        self._number += 1
        self._pace.finished()


def clock(seconds: float) -> str:
    """1:05, 2:03:07"""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
