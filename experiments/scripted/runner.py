"""An experiment, run: every run in its order, on a testbed, watched; what it found kept at once; the whole put together."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from experiments import environment
from experiments.scripted import order, sampling, summary, surroundings
from experiments.scripted.directory import RESULTS, Directory, opened, rfc3339, write
from experiments.scripted.model import Experiment
from experiments.scripted.order import PlannedRun
from experiments.scripted.progress import Progress, Silent
from experiments.scripted.scene import Scene
from experiments.scripted.schedule import FAILURES, Schedule
from experiments.scripted.steps.loads import Dns, Load
from experiments.scripted.steps.step import Figure
from experiments.scripted.steps.throughput import Iperf3
from experiments.scripted.testbeds import Testbeds
from experiments.scripted.watching import Watched, watching
from experiments.testbed import Testbed

VERSION = 1
MEASURING = (Iperf3.KIND, Load.KIND, Dns.KIND)


def run(
    experiment: Experiment, root: Path, fresh: bool = False, progress: Progress | None = None
) -> tuple[Path, dict[str, Any]]:
    """Run what is not finished yet; the directory, and what its results.json holds.

    Raises MachineError before anything starts when the machine lacks something.
    """
    surroundings.check(experiment)
    tell = progress or Silent()
    planned = order.runs(experiment)
    directory = opened(root, experiment, planned, fresh)
    done = directory.done()
    missing = [each for each in planned if each.order not in done]
    tell.planned([*(each for each in planned if each.order in done), *missing], len(done))
    with Testbeds(experiment.shared) as testbeds:
        for each in missing:
            found = _one(experiment, each, testbeds, tell)
            directory.keep(found)
            tell.finished(each, found["error"])
    results = put_together(experiment, directory)
    write(directory.path / RESULTS, results)
    return directory.path, results


def _one(experiment: Experiment, planned: PlannedRun, testbeds: Testbeds, tell: Progress) -> dict[str, Any]:
    """One run, as results.json has it. What fails in it is its error."""
    zero = time.monotonic()
    told: dict[str, Any] = {"began": _now(), "placement": {}, "steps": [], "samples": {}, "figures": {}, "fidelity": None}
    error = None
    tell.step(planned, "")
    try:
        with testbeds.of(planned.variant) as testbed:
            told = _measured(experiment, planned, testbed, tell)
    except FAILURES as failed:
        error = str(failed)
    failures = [f"{step['name']}: {step['error']}" for step in told["steps"] if step["error"]]
    if failures or error:
        testbeds.discard()
    return {
        "order": planned.order, "arm": planned.variant.arm, "parameters": dict(planned.variant.parameters),
        "repetition": planned.repetition, "seconds": time.monotonic() - zero, **told,
        "error": error or "; ".join(failures) or None,
    }  # fmt: skip


def _measured(experiment: Experiment, planned: PlannedRun, testbed: Testbed, tell: Progress) -> dict[str, Any]:
    scene = Scene(testbed, random.Random(planned.seed))
    schedule = Schedule(planned.variant.steps, scene, lambda name: tell.step(planned, name))
    placement = scene.placement()
    began, zero = _now(), time.monotonic()
    with watching(testbed, planned.variant, experiment.interval_s) as watched:
        steps = [each.to_json(zero) for each in schedule.run()]
        watched.measured = _measuring(steps)
    return {"began": began, "placement": placement, **_told(steps, watched)}


def _measuring(steps: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """From when the first step that makes load began until the last of them ended; of the whole run if there is none."""
    found = [step for step in steps if step["kind"] in MEASURING] or steps
    return min(step["at_s"] for step in found), max(step["at_s"] + step["seconds"] for step in found)


def _now() -> str:
    return rfc3339(datetime.now(timezone.utc))


def _told(steps: Sequence[Mapping[str, Any]], watched: Watched) -> dict[str, Any]:
    figures = {f"{step['name']}.{name}": value for step in steps for name, value in step["figures"].items()}
    return {
        "steps": list(steps),
        "samples": {name: [list(point) for point in series] for name, series in watched.samples.items()},
        "figures": {**figures, **watched.figures},
        "fidelity": watched.fidelity,
    }


def put_together(experiment: Experiment, directory: Directory) -> dict[str, Any]:
    """What results.json holds."""
    runs = [run for _, run in sorted(directory.done().items())]
    ratios = summary.ratios(experiment, runs)
    return {
        "version": VERSION,
        "name": experiment.name,
        "title": experiment.title,
        "question": experiment.question,
        "method": experiment.method,
        "seed": experiment.seed,
        "started": directory.started,
        "seconds": sum(run["seconds"] for run in runs),
        "versions": environment.versions(),
        "machine": environment.machine(),
        "file": experiment.text,
        "arms": list(experiment.arms),
        "parameters": {name: list(values) for name, values in experiment.parameters.items()},
        "reported": list(experiment.reported),
        "figures": [_figure(figure) for figure in _figures(experiment, runs)],
        "runs": runs,
        "ratios": ratios,
        "expectations": summary.expectations(experiment, runs, ratios),
        "claims": [],
    }


def _figures(experiment: Experiment, runs: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Those that the file names first, then the others, each once; of samples, those that there are."""
    sampled = {name for run in runs for name in run["figures"]}
    measured = {figure.name: figure for variant in experiment.variants for figure in variant.figures}
    named = [measured[name] for name in experiment.reported]
    return [*named, *(figure for name, figure in measured.items() if name not in experiment.reported),
            *(figure for figure in sampling.figures() if figure.name in sampled)]  # fmt: skip


def _figure(figure: Figure) -> dict[str, Any]:
    return {"name": figure.name, "unit": figure.unit, "better": figure.better, "text": figure.text}
