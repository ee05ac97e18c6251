"""When steps begin and end: by what other steps do."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from experiments.scripted.scene import Course, Scene
from experiments.scripted.schedule import Progress, Schedule
from experiments.scripted.steps.faults import PROCESSES, Fault, mended_by
from experiments.scripted.steps.step import Figure, Outcome, Step, StepError, When, parse_at
from experiments.testbed import Testbed
from topo.commands.fault import fault as fault_group


@dataclass
class Doing:
    """A step that begins after `late_s`, and goes on for `seconds` or until it is to end."""

    seconds_: float = 0.0
    late_s: float = 0.0
    error: Exception | None = None
    figures_: dict[str, float] = field(default_factory=dict)
    KIND = "doing"

    def figures(self) -> tuple[Figure, ...]:
        return ()

    def seconds(self) -> float:
        return self.seconds_

    def run(self, scene: Scene, course: Course) -> Outcome:
        time.sleep(self.late_s)
        course.began()
        course.ending.wait(self.seconds_)
        if self.error is not None:
            raise self.error
        return Outcome(self.figures_)


def scene() -> Scene:
    return Scene(Testbed("none"), random.Random(1))


def run(*steps: tuple[str, When, object]) -> dict[str, Progress]:
    made = [Step(name, when, action) for name, when, action in steps]  # type: ignore[arg-type]
    return {each.step.name: each for each in Schedule(made, scene()).run()}


NEXT = When()


def began(progress: Progress) -> float:
    assert progress.began_at is not None
    return progress.began_at


def ended(progress: Progress) -> float:
    assert progress.ended_at is not None
    return progress.ended_at


def test_one_after_the_other() -> None:
    done = run(("a", NEXT, Doing(0.05)), ("b", NEXT, Doing()))
    assert ended(done["a"]) <= began(done["b"])


def test_after_another_began_really() -> None:
    """Not when it was started: a load that comes up late takes what is placed by it along."""
    done = run(("load", NEXT, Doing(0.3, late_s=0.2)), ("fault", parse_at("100ms after load began"), Doing()))
    late = began(done["fault"]) - began(done["load"])
    assert 0.1 <= late < 0.25
    assert ended(done["fault"]) < ended(done["load"])


def test_what_follows_waits_for_all_that_go_on() -> None:
    done = run(
        ("load", NEXT, Doing(0.02)), ("slow", parse_at("load began"), Doing(0.2)), ("after", NEXT, Doing())
    )
    assert began(done["after"]) >= ended(done["slow"])


def test_during_ends_with_its_step() -> None:
    done = run(("load", NEXT, Doing(0.1)), ("ping", When("load", "began", during=True), Doing(30)))
    assert ended(done["load"]) <= ended(done["ping"]) < ended(done["load"]) + 5


def test_at_an_end() -> None:
    done = run(("load", NEXT, Doing(0.05)), ("later", parse_at("50ms after load ended"), Doing()))
    assert began(done["later"]) >= ended(done["load"]) + 0.05


def test_a_failure_ends_what_goes_on_and_what_has_not_begun_does_not() -> None:
    done = run(
        ("load", NEXT, Doing(30)),
        ("bad", parse_at("load began"), Doing(error=StepError("it is broken"))),
        ("never", NEXT, Doing()),
        ("nor", parse_at("20s after load began"), Doing()),
    )
    assert done["bad"].error == "it is broken"
    assert ended(done["load"]) - began(done["load"]) < 10
    assert done["never"].began_at is None
    assert done["nor"].began_at is None


def test_a_mistake_of_the_program_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        run(("a", NEXT, Doing(error=ZeroDivisionError())), ("b", NEXT, Doing()))


def test_figures_reach_later_steps() -> None:
    seen: list[float | None] = []

    class Looking(Doing):
        def run(self, scene: Scene, course: Course) -> Outcome:
            seen.append(scene.figures.get("load.rate"))
            return Outcome()

    run(("load", NEXT, Doing(figures_={"rate": 7.0})), ("look", NEXT, Looking()))
    assert seen == [7.0]


def test_what_a_step_looks_like_in_results() -> None:
    done = run(("load", NEXT, Doing(0.05, figures_={"rate": 7.0})))
    told = done["load"].to_json(began(done["load"]))
    assert told["at_s"] == 0
    assert 0.05 <= told["seconds"] < 5
    assert (told["name"], told["kind"], told["figures"], told["error"]) == ("load", "doing", {"rate": 7.0}, None)


class FakeScene(Scene):
    """Writes down which faults were given."""

    def fault(self, what: str, *arguments: str) -> None:
        self.figures[" ".join((what, *arguments))] = time.monotonic()


def break_it(data: dict[str, object], course: Course, seed: int = 1) -> list[str]:
    scene = FakeScene(Testbed("none"), random.Random(seed))
    note = Fault.parse(data).run(scene, course).note
    assert next(iter(scene.figures)) == note, "what was hit is not told"
    return list(scene.figures)


def bound_course(end: Callable[[threading.Event], object]) -> Course:
    course = Course(bound=True)
    course.on_begin = lambda: (end(course.ending), None)[1]
    return course


def test_a_fault_stays_unless_something_says_when_it_ends() -> None:
    assert break_it({"node": "worker"}, Course()) == ["node worker off"]


def test_a_fault_is_mended_after_its_duration() -> None:
    calls = break_it({"link": ["worker", "s1"], "bandwidth": "5Mbit", "duration": "50ms"}, Course())
    assert calls == ["shape worker s1 --bandwidth=5Mbit", "shape worker s1"]


def test_a_fault_is_mended_when_the_step_that_it_belongs_to_has_ended() -> None:
    calls = break_it({"partition": [["worker"], ["worker2"]]}, bound_course(threading.Event.set))
    assert calls == ["partition worker worker2", "partition worker worker2 --mend"]


def test_what_a_fault_hits_follows_from_the_seed() -> None:
    data: dict[str, object] = {"node": [f"worker{number}" for number in range(50)]}
    first, again, other = (break_it(data, Course(), seed) for seed in (1, 1, 2))
    assert first == again != other


def test_whether_packets_are_lost_on_purpose() -> None:
    """Then that they are says nothing against a run."""
    faults: list[dict[str, object]] = [{"node": "worker"}, {"partition": [["a"], ["b"]]}, {"process": "vswitchd"}]
    assert all(Fault.parse(data).loses_packets for data in faults)
    assert not Fault.parse({"process": "controller"}).loses_packets


def test_every_fault_is_a_command_that_there_is() -> None:
    """The command line takes what steps say: asked of the command itself, but for doing it."""
    faults: list[dict[str, object]] = [
        {"node": "worker"}, {"node": "worker", "state": "up"}, {"link": ["worker", "s1"]},
        {"link": ["worker", "s1"], "bandwidth": "5Mbit", "delay": "1ms", "jitter": "1ms", "loss": "1%"},
        {"partition": [["worker"], ["worker2", "client1"]]}, {"pod": "web"}, {"mend": True},
        *({"process": name, "action": action} for name in PROCESSES for action in ("kill", "stop")),
    ]  # fmt: skip
    for data in faults:
        (call,) = Fault.parse(data).choices
        for each in filter(None, (call, mended_by(call))):
            subcommand = fault_group.commands[each[0]]
            subcommand.make_context(each[0], ["--name", "x", *each[1:]])
