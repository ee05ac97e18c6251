"""The steps of one variant: what is wrong with them, and the steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cluster.model import Cluster
from cluster.objects import Object
from cluster.reading.findings import Finding, Path, found, suggestion
from experiments.scripted import values
from experiments.scripted.fields import STEP
from experiments.scripted.known import Known
from experiments.scripted.steps.faults import Fault
from experiments.scripted.steps.kinds import KINDS
from experiments.scripted.steps.looking import Expect
from experiments.scripted.steps.objects import Apply, Scale
from experiments.scripted.steps.step import Action, Step, When, parse_at


class StepReader:
    """Takes steps one after the other; `findings` are of paths from the list of steps on."""

    def __init__(self, cluster: Cluster | None, manifests: Sequence[Object]) -> None:
        self.steps: list[Step] = []
        self.findings: list[Finding] = []
        self._cluster = cluster
        self._manifests = list(manifests)
        self._names: dict[str, int] = {}

    def take(self, index: int, data: Mapping[str, Any], wrong: Sequence[Finding]) -> None:
        """A step; `wrong`: what its schema has against it."""
        own = list(self._findings(data, {finding.path for finding in wrong}))
        self.findings += [Finding((index, *finding.path), finding.message) for finding in own]
        name = data.get("name")
        if isinstance(name, str):
            self._names.setdefault(name, index)
        if own or wrong:
            return
        word = next(word for word in KINDS if word in data)
        action = KINDS[word].parse(data[word])
        self.findings += [
            Finding((index, word, *finding.path), finding.message) for finding in self._known_findings(action, data[word])
        ]
        if isinstance(action, Apply):
            self._manifests += action.manifests
        self.steps.append(Step(data["name"], _when(data), action))

    def _findings(self, data: Mapping[str, Any], wrong: set[Path]) -> Iterator[Finding]:
        if not any(len(path) == 0 for path in wrong):
            yield from values.format_findings(STEP, data)
        name = data.get("name")
        if name in self._names:
            yield Finding(("name",), found(name, f"steps[{self._names[str(name)]}] has that name; must be unique"))
        words = [word for word in KINDS if word in data]
        if len(words) != 1:
            told = " and ".join(f"'{word}'" for word in words) or "nothing to do"
            yield Finding((), f"found {told}; must have exactly one of: {', '.join(KINDS)}")
        elif not any(path[:1] == (words[0],) for path in wrong):
            for finding in KINDS[words[0]].findings(data[words[0]]):
                yield Finding((words[0], *finding.path), finding.message)
        yield from self._when_findings(data)

    def _when_findings(self, data: Mapping[str, Any]) -> Iterator[Finding]:
        if "at" in data and "during" in data:
            yield Finding(("during",), "found both 'at' and 'during'; must be one of them")
        if isinstance(data.get("at"), str):
            try:
                yield from self._earlier("at", data["at"], parse_at(data["at"]).of)
            except ValueError as error:
                yield Finding(("at",), found(data["at"], str(error)))
        if isinstance(data.get("during"), str):
            yield from self._earlier("during", data["during"], data["during"])

    def _earlier(self, field: str, text: str, name: str | None) -> Iterator[Finding]:
        if name not in self._names:
            hint = suggestion(str(name), self._names) or f" (have: {', '.join(self._names) or 'none'})"
            yield Finding((field,), found(text, f"no earlier step is called '{name}'{hint}"))

    def _known_findings(self, action: Action, data: Mapping[str, Any]) -> Iterator[Finding]:
        if isinstance(action, Expect):
            measured = [figure.of(step.name).name for step in self.steps for figure in step.action.figures()]
            if wrong := unmeasured(action.figure, measured):
                yield Finding(("figure",), wrong)
        if self._cluster is None:
            return
        known = Known.of(self._cluster, self._manifests)
        if isinstance(action, Fault):
            yield from known.fault_findings(action)
            return
        named = f"{action.kind.lower()}/{action.namespace}/{action.name}" if isinstance(action, Scale) else ""
        if named and (missing := known.missing(named)):
            yield Finding(("name",), missing)
        for path, format, text in values.formatted(action.SCHEMA, data):
            if format in ("machine", "destination") and (missing := known.missing(text)):
                yield Finding(path, missing)


def unmeasured(figure: str, measured: Sequence[str]) -> str | None:
    """What is wrong with the name of a figure, as a sentence; None if a step measures it."""
    if figure in measured:
        return None
    step = figure.partition(".")[0]
    own = [name for name in measured if name.startswith(f"{step}.")]
    near = suggestion(figure, measured) or f" (have: {', '.join(own or measured) or 'none'})"
    return found(figure, f"no step measures that{near}")


def _when(data: Mapping[str, Any]) -> When:
    if "at" in data:
        return parse_at(data["at"])
    if "during" in data:
        return When(data["during"], "began", during=True)
    return When()
