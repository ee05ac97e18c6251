"""What results.json holds: one experiment's runs, the ratios and expectations drawn from them, and where they ran.

Times of samples and series are seconds since their run began. Units are those of FIGURE_UNITS, never with a prefix.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cluster.problems import Problem, SpecError
from experiments.reports.decoding import WrongFormatError, decode

FILE = "results.json"
_UNWATCHED = {"verdict": "unwatched", "culprits": ["nobody watched the machine meanwhile"], "figures": {}}
VERSION = 1
Unit = Literal["bit/s", "1/s", "s", "bytes", "ratio", "count", "percent"]
Verdict = Literal["valid", "degraded", "unwatched", "invalid"]
Value = bool | int | float | str
"""Of a parameter."""
Series = tuple[tuple[float, float], ...]
"""(seconds since the run began, value), in order of time."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity that runs measure; `text` says what it is."""

    name: str
    unit: Unit
    better: Literal["higher", "lower"] | None
    text: str


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How far a run can be trusted, and if not wholly: why (`culprits`, sentences). "unwatched": nobody can say."""

    verdict: Verdict
    culprits: tuple[str, ...]
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run, begun `at_s` after the run; `given_s`: when its command was given, if that took a while."""

    name: str
    kind: str
    at_s: float
    seconds: float
    figures: Mapping[str, float]
    series: Mapping[str, Series]
    error: str | None = None
    given_s: float | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One arm with one value of each parameter, once. `order` says which of all runs it was."""

    order: int
    arm: str
    parameters: Mapping[str, Value]
    repetition: int
    began: str
    seconds: float
    steps: tuple[Step, ...]
    samples: Mapping[str, Series]
    figures: Mapping[str, float]
    fidelity: Fidelity
    error: str | None = None

    @property
    def counts(self) -> bool:
        """Whether its figures may enter a median: an invalid run's never do."""
        return self.fidelity.verdict != "invalid"


@dataclass(frozen=True, slots=True)
class Ratio:
    """`figure` of the arm `over` divided by that of the arm `of`, pair by pair; `by` are the parameters they share.

    Both may be one arm, where runs differ in a parameter: then only `name` says what is divided by what.

    A pair is two runs of one repetition, neither of which is invalid. Without pairs there is no median.
    """

    name: str
    figure: str
    over: str
    of: str
    by: Mapping[str, Value]
    pairs: tuple[float, ...]
    median: float | None

    @property
    def label(self) -> str:
        """Its name, with the figure that it is of in front, if that is not in it, and the parameters behind."""
        what = self.name if self.figure in self.name else f"{self.figure}: {self.name}"
        by = ", ".join(f"{name} {value}" for name, value in self.by.items())
        return f"{what} ({by})" if by else what


@dataclass(frozen=True, slots=True)
class Expectation:
    """`holds` is None when the runs that would decide it are invalid."""

    text: str
    holds: bool | None
    found: str


@dataclass(frozen=True, slots=True)
class Machine:
    processors: int
    model: str
    memory_bytes: int
    datapath: str


@dataclass(frozen=True, slots=True)
class Result:
    version: int
    name: str
    title: str
    question: str
    method: str
    seed: int
    started: str
    seconds: float
    versions: Mapping[str, str | None]
    machine: Machine
    file: str
    arms: tuple[str, ...]
    parameters: Mapping[str, tuple[Value, ...]]
    figures: tuple[Figure, ...]
    runs: tuple[Run, ...]
    ratios: tuple[Ratio, ...]
    expectations: tuple[Expectation, ...]
    claims: tuple[str, ...]
    reported: tuple[str, ...] = ()

    @property
    def own(self) -> tuple[Figure, ...]:
        """The figures that the experiment is about: those that it names, or all that steps measure."""
        if self.reported:
            return tuple(figure for figure in self.figures if figure.name in self.reported)
        return tuple(figure for figure in self.figures if "/" not in figure.name)

    @property
    def others(self) -> tuple[Figure, ...]:
        return tuple(figure for figure in self.figures if figure not in self.own)

    def figure(self, name: str) -> Figure | None:
        return next((figure for figure in self.figures if figure.name == name), None)


def place(path: Path) -> Path:
    """The file that a user means who names it, or the directory that it is in."""
    return path / FILE if path.is_dir() else path


def read(path: Path) -> Result:
    """Raises SpecError when it is not there, is no JSON or has another form."""
    try:
        return parse(json.loads(path.read_text()))
    except OSError as error:
        raise _problem(path, f"cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise _problem(path, f"is not JSON: {error.msg}", error.lineno) from error
    except WrongFormatError as error:
        raise _problem(path, str(error)) from error


def parse(document: object) -> Result:
    """Raises WrongFormatError."""
    if isinstance(document, Mapping) and document.get("version") != VERSION:
        raise WrongFormatError(f"version: found {document.get('version')!r}; must be {VERSION}")
    return decode(Result, _with_verdicts(document))


def _with_verdicts(document: object) -> object:
    """A run that nobody watched has no report of its fidelity."""
    if not isinstance(document, Mapping) or not isinstance(document.get("runs"), list):
        return document
    runs = [{**run, "fidelity": run.get("fidelity") or _UNWATCHED} if isinstance(run, Mapping) else run
            for run in document["runs"]]  # fmt: skip
    return {**document, "runs": runs}


def _problem(path: Path, message: str, line: int = 0) -> SpecError:
    return SpecError([Problem(str(path), line, "", "", message)])
