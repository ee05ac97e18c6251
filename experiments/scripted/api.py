"""Experiments from Python: the same document as in a file, the same checks, the same results.

    from experiments.scripted import api

    experiment = api.define(
        "streams", files=["cluster_specs/quickstart.yaml"], parameters={"streams": [1, 8]},
        steps=[api.step("tcp", iperf3={"from": "deployment/web", "to": "tools", "parallel": "${{ streams }}"})],
    )
    results = api.run(experiment)
    print([run["figures"]["tcp.rate"] for run in results["runs"]])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster.reading import documents
from cluster.reading.config_fields import API_VERSION
from cluster.reading.documents import Document, Reading
from experiments.reports import writing
from experiments.scripted import fields, file, runner
from experiments.scripted.model import Experiment
from experiments.scripted.progress import Progress

Step = Mapping[str, Any]
load = file.load
"""An experiment of a file."""


def step(name: str, *, at: str | None = None, during: str | None = None, **action: Mapping[str, Any]) -> Step:
    """A step: `action` is one word with its fields, such as wait={"duration": "2s"}."""
    when = {"at": at, "during": during}
    return {"name": name, **{word: text for word, text in when.items() if text is not None}, **action}


def define(
    name: str, steps: Sequence[Step], *, objects: Sequence[Mapping[str, Any]] = (),
    arms: Mapping[str, Mapping[str, Any]] | None = None, **spec: Any,
) -> Experiment:  # fmt: skip
    """An experiment. `objects`: its cluster document and manifests; `arms`: variables by arm; `spec`: the other fields, as in
    a file, whose paths are relative to the working directory. Raises SpecError with everything that is wrong."""
    listed = {"arms": [{"name": arm, "set": dict(variables)} for arm, variables in arms.items()]} if arms else {}
    document = {
        "apiVersion": API_VERSION, "kind": fields.KIND, "metadata": {"name": name},
        "spec": {**spec, **listed, "steps": [dict(each) for each in steps]},
    }  # fmt: skip
    every = [document, *map(dict, objects)]
    reading = Reading([Document(name, 0, each) for each in every])
    return file.of(reading, name, "---\n".join(documents.dump(each) for each in every))


def run(
    experiment: Experiment, root: str | Path = "results", fresh: bool = False, progress: Progress | None = None
) -> dict[str, Any]:
    """Run it, or go on with it, and write its report; what results.json holds. Raises MachineError when the machine lacks
    something."""
    path, results = runner.run(experiment, Path(root), fresh, progress)
    return {**results, "claims": list(writing.write(path).claims)}
