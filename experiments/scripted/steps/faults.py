"""fault: break something, and mend it when its duration, or the step that it goes with, is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from cluster.reading.findings import Finding, any_of, found
from cluster.reading.quantities import FIELDS as SHAPE
from experiments.scripted import values
from experiments.scripted.scene import Course, Scene
from experiments.scripted.steps.step import Figure, Outcome
from experiments.scripted.values import WORKLOADS, Schema, Target, list_of, record

WHAT = ("node", "link", "partition", "pod", "process", "mend")
PROCESSES = ("controller", "vswitchd", "api", "agent", "dns", "ingress")
NEED_NETEM = ("delay", "jitter", "loss")
_NAME_OR_NAMES: Schema = {"type": ["string", "array"], "items": values.TEXT}
_WITH: Mapping[str, tuple[str, ...]] = {
    "node": ("state", "duration"),
    "link": ("state", *SHAPE, "duration"),
    "partition": ("duration",),
    "pod": (),
    "process": ("action", "duration"),
    "mend": (),
}
"""Which other fields each fault has."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`choices`: the subcommands of `mininetes fault` one of which is drawn, each with the one that mends it, if any."""

    KIND: ClassVar[str] = "fault"
    TEXT: ClassVar[str] = "Breaks something; mends it when its duration or the step of `during` is over."
    SCHEMA: ClassVar[Schema] = record(
        {
            "node": _NAME_OR_NAMES,
            "link": {"type": "array", "items": values.TEXT},
            "partition": list_of(list_of(values.TEXT, at_least=1), at_least=2),
            "pod": {"type": ["string", "array"], "format": "machine", "items": values.MACHINE},
            "process": values.one_of(*PROCESSES),
            "mend": values.FLAG,
            "state": values.one_of("down", "up"),
            "bandwidth": values.BANDWIDTH,
            "delay": values.DELAY,
            "jitter": values.DELAY,
            "loss": values.LOSS,
            "action": values.one_of("kill", "stop"),
            "duration": values.DURATION,
        }
    )

    what: str
    choices: tuple[Sequence[str], ...]
    duration_s: float | None
    needs_netem: tuple[str, ...]
    nodes: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    pods: tuple[Target, ...] = ()

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Fault:
        what = next(word for word in WHAT if word in data)
        named = data[what] if isinstance(data[what], list) else [data[what]]
        duration_s = values.seconds(data["duration"]) if "duration" in data else None
        netem = tuple(word for word in NEED_NETEM if word in data)
        nodes: tuple[str, ...] = ()
        link: tuple[str, ...] = ()
        pods: tuple[Target, ...] = ()
        choices: list[Sequence[str]] = []
        if what == "node":
            nodes = tuple(named)
            choices = [("node", name, "on" if data.get("state") == "up" else "off") for name in named]
        elif what == "link":
            link = tuple(named)
            shape = [f"--{word}={data[word]}" for word in SHAPE if word in data]
            choices = [("shape", *named, *shape) if shape else ("link", *named, data.get("state", "down"))]
        elif what == "partition":
            nodes = tuple(name for side in named for name in side)
            choices = [("partition", *(",".join(side) for side in named))]
        elif what == "pod":
            pods = tuple(Target(name) for name in named)
            choices = [("pod", name) for name in named]
        elif what == "process":
            choices = [("process", data["process"], data.get("action", "kill"))]
        else:
            choices = [("mend",)]
        return cls(what, tuple(choices), duration_s, netem, nodes, link, pods)

    @classmethod
    def findings(cls, data: Mapping[str, Any]) -> Iterator[Finding]:
        named = [word for word in WHAT if word in data]
        if len(named) != 1:
            told = " and ".join(f"'{word}'" for word in named) or "none of them"
            yield Finding((), f"found {told}; must have exactly one of: {', '.join(WHAT)}")
            return
        what = named[0]
        for word in data:
            if word != what and word not in _WITH[what]:
                rule = any_of(_WITH[what]) if _WITH[what] else "has no other fields"
                yield Finding((word,), f"found '{word}' beside '{what}', where it means nothing; {rule}")
        if what == "link":
            yield from _link_findings(data)
        if what == "process" and "duration" in data and data.get("action", "kill") == "kill":
            yield Finding(("duration",), "found a duration of a kill; the process is started again at once: "
                                         "leave it out, or write 'action: stop'")  # fmt: skip
        if isinstance(data[what], list) and not data[what]:
            yield Finding((what,), "found an empty list; must name at least one")

    @property
    def loses_packets(self) -> bool:
        """Whether it does on purpose. A process that does not forward loses none."""
        return self.choices[0][:2] == ("process", "vswitchd") or self.what in ("node", "link", "partition", "pod")

    def figures(self) -> tuple[Figure, ...]:
        return ()

    def seconds(self) -> float:
        return self.duration_s or 0.0

    def run(self, scene: Scene, course: Course) -> Outcome:
        call = self._chosen(scene)
        scene.fault(*call)
        course.began()
        ending = mended_by(call)
        if self.duration_s is not None:
            course.ending.wait(self.duration_s)
        elif course.bound:
            course.ending.wait()
        else:
            return Outcome(note=" ".join(call))
        if ending:
            scene.fault(*ending)
        return Outcome(note=" ".join(call))

    def _chosen(self, scene: Scene) -> Sequence[str]:
        """By lot where several are named; of a workload one of its pods."""
        call = scene.draw.choice(self.choices)
        if self.what == "pod" and Target(call[1]).kind in WORKLOADS:
            return ("pod", scene.draw.choice(scene.pods_of(Target(call[1]))).target)
        return call


def _link_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    if len(data["link"]) != 2:
        yield Finding(("link",), f"found {len(data['link'])} names; must be the two ends of a link")
    shape = [word for word in SHAPE if word in data]
    if shape and "state" in data:
        yield Finding(("state",), f"found both 'state' and '{shape[0]}'; a link is down, or it has a shape")
    if "jitter" in data and "delay" not in data:
        yield Finding(("jitter",), found(data["jitter"], "jitter is of a delay: set 'delay', too"))


def mended_by(call: Sequence[str]) -> Sequence[str]:
    """The subcommand of `mininetes fault` that takes one back; empty where nothing does, or need."""
    what = call[0]
    if what == "node":
        return ("node", call[1], "on") if call[2] == "off" else ()
    if what == "link":
        return ("link", call[1], call[2], "up") if call[3] == "down" else ()
    if what == "shape":
        return call[:3]
    if what == "partition":
        return (*call, "--mend")
    if what == "process":
        return ("process", call[1], "continue") if call[2] == "stop" else ()
    return ()
