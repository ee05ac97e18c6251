"""Experiments from Python: the same as from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.problems import SpecError
from cluster.reading import documents
from experiments.scripted import api, order

SPEC = Path(__file__).parent / "wrong_experiments" / "spec.yaml"
LOAD = api.step("load", load={"from": "client", "to": "service/web", "rate": "${{ rate }}"})


def test_the_same_as_a_file(tmp_path: Path) -> None:
    spec = [document.data for document in documents.read([str(SPEC)]).documents]
    defined = api.define(
        "rates", [LOAD, api.step("death", at="1s after load began", fault={"pod": "server"})],
        objects=spec, arms={"few": {"rate": 1}, "many": {"rate": 100}}, repetitions=2, seed=3,
    )  # fmt: skip
    (tmp_path / "rates.yaml").write_text(defined.text)
    read = api.load(tmp_path / "rates.yaml")
    assert read.variants == defined.variants
    assert [run.key for run in order.runs(read)] == [run.key for run in order.runs(defined)]
    assert (read.seed, read.repetitions, read.arms) == (3, 2, ("few", "many"))


def test_mistakes_are_told_as_those_of_files() -> None:
    with pytest.raises(SpecError) as refused:
        api.define("rates", [LOAD, api.step("late", during="laod", wait={})], files=[str(SPEC)], repetition=2)
    assert str(refused.value).splitlines() == [
        "rates: Experiment rates: spec.repetition: unknown field 'repetition'; did you mean 'repetitions'?",
        "rates: Experiment rates: spec.steps[0].load.rate: found the variable 'rate', which nothing sets; set here: none",
        "rates: Experiment rates: spec.steps[1].during: found 'laod'; no earlier step is called 'laod'; did you mean 'load'?",
    ]
