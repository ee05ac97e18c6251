"""The steps of one run, each begun when its time has come: by what other steps do, never by the clock alone.

Every step has a thread. One that fails ends the run: those that go on are told to end, those that have not begun do not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.problems import NoTestbedError
from experiments.scripted.scene import Course, Scene
from experiments.scripted.steps.step import Outcome, Step, StepError
from experiments.testbed import CommandError

FAILURES = (StepError, CommandError, NoTestbedError)
"""What makes a run fail; anything else is a mistake of this program, and raised."""
_INTERRUPTED = "interrupted"


@dataclass(slots=True)
class Progress:
    """One step as it goes. A fault is given before it has begun: it begins when all of it is done."""

    step: Step
    course: Course
    begun: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    given_at: float | None = None
    began_at: float | None = None
    ended_at: float | None = None
    outcome: Outcome = field(default_factory=Outcome)
    error: str | None = None

    def to_json(self, zero: float) -> dict[str, Any]:
        """As results.json has it: all times since the run began."""
        began = self.began_at if self.began_at is not None else self.ended_at or zero
        at_s = began - zero
        return {
            "name": self.step.name,
            "kind": self.step.action.KIND,
            "at_s": at_s,
            "given_s": (self.given_at or began) - zero,
            "seconds": (self.ended_at or began) - began,
            "figures": dict(self.outcome.figures),
            "series": {name: [[round(at_s + t_s, 3), value] for t_s, value in series]
                       for name, series in self.outcome.series.items()},
            "tables": {name: dict(table) for name, table in self.outcome.tables.items()},
            "note": self.outcome.note,
            "error": self.error,
        }  # fmt: skip


class Schedule:
    """Runs steps. `on_step` hears of each as it begins."""

    def __init__(self, steps: Sequence[Step], scene: Scene, on_step: Callable[[str], None] = lambda name: None) -> None:
        self._scene, self._on_step = scene, on_step
        self._all = [Progress(step, Course(bound=step.when.during)) for step in steps]
        self._by_name = {each.step.name: each for each in self._all}
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._raised: BaseException | None = None

    def run(self) -> list[Progress]:
        """All of them, to their end. What is no failure of a step is raised when the others have ended."""
        threads = [threading.Thread(target=self._take, args=(index,), name=each.step.name)
                   for index, each in enumerate(self._all)]  # fmt: skip
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            self._end_all()
            for thread in threads:
                thread.join()
            raise
        if self._raised is not None:
            raise self._raised
        return self._all

    def _take(self, index: int) -> None:
        mine = self._all[index]
        mine.course.on_begin = lambda: self._began(mine)
        try:
            self._wait(index)
            if self._over.is_set():
                return
            self._on_step(mine.step.name)
            mine.given_at = time.monotonic()
            mine.outcome = mine.step.action.run(self._scene, mine.course)
            with self._lock:
                self._scene.figures.update({f"{mine.step.name}.{name}": value
                                            for name, value in mine.outcome.figures.items()})  # fmt: skip
        except FAILURES as error:
            mine.error = str(error)
            self._end_all()
        except BaseException as error:
            mine.error, self._raised = repr(error), error
            self._end_all()
        finally:
            self._ended(mine)

    def _wait(self, index: int) -> None:
        when = self._all[index].step.when
        if when.of is None:
            for earlier in self._all[:index]:
                earlier.ended.wait()
            return
        other = self._by_name[when.of]
        (other.begun if when.event == "began" else other.ended).wait()
        # From when that happened, not from when this thread heard of it.
        since = other.began_at if when.event == "began" else other.ended_at
        if since is not None:
            self._over.wait(max(0.0, since + when.after_s - time.monotonic()))

    def _began(self, mine: Progress) -> None:
        mine.began_at = time.monotonic()
        mine.begun.set()

    def _ended(self, mine: Progress) -> None:
        mine.ended_at = time.monotonic()
        mine.begun.set()
        mine.ended.set()
        for each in self._all:
            if each.step.when.during and each.step.when.of == mine.step.name:
                each.course.ending.set()

    def _end_all(self) -> None:
        self._over.set()
        for each in self._all:
            each.course.ending.set()
