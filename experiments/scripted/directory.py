"""Where an experiment's results are: a directory for each time that it is run, a file for each run in it.

    results/NAME/20261126-211903-seed7/     plan.json           the experiment's file, its seed, its runs in their order
                                            runs/0001.json …    one finished run each, written at once, by rename
                                            results.json        all of it, and what reports are made of

Whoever is interrupted loses the run that was going on, nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from experiments.scripted.model import Experiment
from experiments.scripted.order import PlannedRun

PLAN, RUNS, RESULTS = "plan.json", "runs", "results.json"


@dataclass(frozen=True, slots=True)
class Directory:
    """`started`: when the experiment was first begun, RFC 3339."""

    path: Path
    started: str

    def done(self) -> dict[int, dict[str, Any]]:
        """The finished runs, by their order."""
        read = (json.loads(path.read_text()) for path in sorted((self.path / RUNS).glob("*.json")))
        return {int(run["order"]): run for run in read}

    def keep(self, run: Mapping[str, Any]) -> None:
        write(self.path / RUNS / f"{run['order']:04d}.json", run)

    @property
    def finished(self) -> bool:
        return (self.path / RESULTS).exists()


def write(path: Path, value: Any) -> None:
    """All of it or nothing, also when the machine fails meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    with new.open("w") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def opened(root: Path, experiment: Experiment, planned: Sequence[PlannedRun], fresh: bool = False) -> Directory:
    """The newest unfinished directory of the same experiment, or (with `fresh`, always) a new one."""
    mark = fingerprint(experiment, planned)
    home = root / experiment.name
    earlier = [] if fresh else sorted(home.glob(f"*-seed{experiment.seed}*/{PLAN}"), reverse=True)
    for path in earlier:
        plan = json.loads(path.read_text())
        found = Directory(path.parent, plan["started"])
        if plan["fingerprint"] == mark and not found.finished:
            return found
    now = datetime.now(timezone.utc)
    stem = f"{now:%Y%m%d-%H%M%S}-seed{experiment.seed}"
    path = next(home / name for name in _names(stem) if not (home / name).exists())
    started = rfc3339(now)
    write(path / PLAN, {
        "fingerprint": mark, "started": started, "seed": experiment.seed, "file": experiment.text,
        "runs": [{"order": run.order, "key": run.key} for run in planned],
    })  # fmt: skip
    return Directory(path, started)


def fingerprint(experiment: Experiment, planned: Sequence[PlannedRun]) -> str:
    """What decides the runs: the steps and specs, rendered, and their order. Other files that are read are in it."""
    text = json.dumps([experiment.text, [
        [run.key, run.seed, run.variant.cluster_document, run.variant.objects] for run in planned
    ]], default=str)  # fmt: skip
    return hashlib.sha256(text.encode()).hexdigest()


def rfc3339(when: datetime) -> str:
    return when.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _names(stem: str) -> Any:
    yield stem
    for number in range(2, 1000):
        yield f"{stem}-{number}"
