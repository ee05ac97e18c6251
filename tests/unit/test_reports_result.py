"""results.json is read strictly, and a mistake is told with its path."""

from __future__ import annotations

import json
from pathlib import Path

import experiment_results as made
import pytest

from cluster.problems import SpecError
from experiments.reports import result
from experiments.reports.decoding import WrongFormatError


def test_what_was_written_is_read() -> None:
    read = made.result(made.failover())
    assert [run.fidelity.verdict for run in read.runs].count("invalid") == 1
    assert read.runs[0].steps[0].series["latency_s"][0][0] == 0.0
    assert read.figure("gap") is read.figures[0]
    assert read.figure("nothing") is None


def test_what_a_newer_writer_adds_is_passed_over() -> None:
    document = made.ruined()
    document["runs"][0]["weather"] = "rain"
    assert len(made.result(document).runs) == 2


@pytest.mark.parametrize(("change", "message"), [
    (lambda document: document["runs"][1]["fidelity"].update(verdict="good"),
     "runs[1].fidelity.verdict: found 'good'; must be one of 'valid', 'degraded', 'unwatched', 'invalid'"),
    (lambda document: document["figures"][0].update(better="both"),
     "figures[0].better: found 'both'; must be one of 'higher', 'lower' or null"),
    (lambda document: document["runs"][0].update(seconds="long"), "runs[0].seconds: found 'long'; must be a number"),
    (lambda document: document["runs"][0]["figures"].update(gap=float("nan")),
     "runs[0].figures.gap: found nan; must be a number"),
    (lambda document: document["runs"][0]["samples"].update(cpu=[[1.0, 2.0, 3.0]]),
     "runs[0].samples.cpu[0]: found [1.0, 2.0, 3.0]; must be a list of 2 items"),
    (lambda document: document.pop("seed"), "the result: the field 'seed' is missing"),
    (lambda document: document["runs"][0].pop("arm"), "runs[0]: the field 'arm' is missing"),
    (lambda document: document.update(runs=4), "runs: found 4; must be a list"),
    (lambda document: document.update(parameters={"n": [None]}),
     "parameters.n[0]: found None; must be true or false or a whole number or a number or a text"),
    (lambda document: document.update(version=2), "version: found 2; must be 1"),
])  # fmt: skip
def test_a_mistake_has_its_path(change, message: str) -> None:  # type: ignore[no-untyped-def]
    document = made.ruined()
    change(document)
    with pytest.raises(WrongFormatError) as raised:
        made.result(document)
    assert str(raised.value) == message


def test_a_file_that_is_not_there_or_no_json_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"results\.json: cannot be read: No such file"):
        result.read(tmp_path / "results.json")
    (tmp_path / "results.json").write_text('{\n"version": 1,\n}')
    with pytest.raises(SpecError, match=r"results\.json:3: is not JSON"):
        result.read(result.place(tmp_path))
    (tmp_path / "results.json").write_text(json.dumps([1]))
    with pytest.raises(SpecError, match=r"the result: found \[1\]; must be an object"):
        result.read(tmp_path / "results.json")
