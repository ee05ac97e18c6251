"""Results: ratios, expectations, resumption, the time left."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.problems import MachineError
from experiments.scripted import directory, file, order, runner, summary, surroundings
from experiments.scripted.model import Experiment
from experiments.scripted.order import PlannedRun
from experiments.scripted.ovs_control import drops, usage
from experiments.scripted.progress import Bar, Pace, Silent, clock, estimate_s
from experiments.scripted.testbeds import Testbeds

TINY = Path(__file__).parents[1] / "e2e" / "experiments" / "tiny.yaml"


@pytest.fixture(scope="module")
def tiny() -> Experiment:
    return replace(file.load(TINY), repetitions=3)


def done(arm: str, repetition: int, rate: float, **given: Any) -> dict[str, Any]:
    return {"order": 0, "arm": arm, "parameters": {}, "repetition": repetition, "error": None, "fidelity": None,
            "seconds": 1.0, "figures": {"load.rate": rate, "load.failed": 0.0, "cpu/ovs-vswitchd": 0.5}, **given}  # fmt: skip


def test_ratios_are_of_pairs_of_one_repetition(tiny: Experiment) -> None:
    runs = [done("pod", 1, 10), done("service", 1, 9), done("service", 2, 40), done("pod", 2, 50), done("pod", 3, 1)]
    (found,) = summary.ratios(tiny, runs)
    assert found["pairs"] == [0.9, 0.8]
    assert found["median"] == pytest.approx(0.85)
    assert found["by"] == {}


def test_what_is_invalid_or_failed_is_in_no_ratio(tiny: Experiment) -> None:
    invalid = {"verdict": "invalid", "culprits": ["x"], "figures": {}}
    runs = [done("pod", 1, 10), done("service", 1, 9, fidelity=invalid), done("pod", 2, 10), done("service", 2, 5, error="x")]
    assert summary.ratios(tiny, runs) == []
    told = summary.expectations(tiny, runs[1:2], [])
    assert [each["holds"] for each in told] == [None, None]


def test_a_degraded_run_counts(tiny: Experiment) -> None:
    degraded = {"verdict": "degraded", "culprits": ["x"], "figures": {}}
    (found,) = summary.ratios(tiny, [done("pod", 1, 10), done("service", 1, 9, fidelity=degraded)])
    assert found["pairs"] == [0.9]


def test_ratios_by_parameters(tiny: Experiment) -> None:
    runs = [done(arm, 1, rate, parameters={"streams": streams}) for streams, pair in ((1, (10, 5)), (8, (10, 20)))
            for arm, rate in zip(("pod", "service"), pair, strict=True)]  # fmt: skip
    assert [(each["by"], each["median"]) for each in summary.ratios(tiny, runs)] == [({"streams": 1}, 0.5), ({"streams": 8}, 2)]


def test_expectations(tiny: Experiment) -> None:
    runs = [done("pod", 1, 10), done("service", 1, 9.5), done("pod", 2, 10, figures={"load.rate": 10, "load.failed": 2.0})]
    ratio, nothing_fails = summary.expectations(tiny, runs, summary.ratios(tiny, runs))
    assert ratio["holds"] is True
    assert nothing_fails["holds"] is False
    assert "0 to 2" in nothing_fails["found"]
    assert "at most 0" in nothing_fails["found"]


class Interruption(Exception):
    """Stands for Ctrl-C."""


class Runs:
    """Instead of real runs: counts them, draws as a fault would, and is interrupted after so many."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int | None = None) -> None:
        self.after, self.done = after, []  # type: ignore[var-annotated]
        monkeypatch.setattr(runner, "_one", self.one)
        monkeypatch.setattr(surroundings, "check", lambda experiment: None)

    def one(self, experiment: Experiment, planned: PlannedRun, testbeds: Testbeds, tell: object) -> dict[str, Any]:
        if len(self.done) == self.after:
            raise Interruption
        drawn = random.Random(planned.seed).random()
        self.done.append((planned.key, drawn))
        return done(planned.variant.arm, planned.repetition, 10, order=planned.order, drawn=drawn)


def test_an_interrupted_experiment_goes_on_where_it_was(
    tiny: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Runs(monkeypatch)
    runner.run(tiny, tmp_path / "whole")
    first = Runs(monkeypatch, after=4)
    with pytest.raises(Interruption):
        runner.run(tiny, tmp_path / "parts")
    rest = Runs(monkeypatch)
    path, results = runner.run(tiny, tmp_path / "parts")
    assert first.done + rest.done == whole.done, "what was done, in which order, or what was drawn differs"
    assert len(rest.done) == 2
    assert [run["order"] for run in results["runs"]] == [1, 2, 3, 4, 5, 6]
    assert json.loads((path / "results.json").read_text()) == results
    assert not list(path.rglob("*.new"))


def test_two_runs_with_the_same_seed_decide_the_same(
    tiny: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        runs = Runs(monkeypatch)
        runner.run(replace(tiny, seed=seed), tmp_path / name)
        decided.append(runs.done)
    assert decided[0] == decided[1] != decided[2]


def test_a_finished_experiment_begins_anew_and_so_does_another_file(
    tiny: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Runs(monkeypatch)
    first, _ = runner.run(tiny, tmp_path)
    second, _ = runner.run(tiny, tmp_path)
    assert first != second
    interrupted = Runs(monkeypatch, after=1)
    with pytest.raises(Interruption):
        runner.run(tiny, tmp_path)
    changed = Runs(monkeypatch)
    runner.run(replace(tiny, text=tiny.text + "# changed"), tmp_path)
    assert len(changed.done) == 6, "it went on with what another file had begun"
    assert len(interrupted.done) == 1


def test_a_run_that_was_cut_off_while_it_was_written_is_not_there(tmp_path: Path) -> None:
    place = directory.Directory(tmp_path, "")
    place.keep({"order": 1})
    (tmp_path / "runs" / ".0002.json.new").write_text('{"order": 2')
    assert list(place.done()) == [1]


def test_results_have_what_reports_need(tiny: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Runs(monkeypatch)
    _, results = runner.run(tiny, tmp_path)
    figures = {figure["name"]: figure for figure in results["figures"]}
    assert [figure["name"] for figure in results["figures"]][:2] == ["load.rate", "load.latency_p50"]
    assert figures["load.rate"]["unit"] == "1/s"
    assert figures["cpu/ovs-vswitchd"]["better"] == "lower"
    assert "cpu/ingress" not in figures, "there was none"
    assert results["arms"] == ["pod", "service"]
    assert results["machine"]["processors"] >= 1
    assert results["versions"]["python"]
    assert results["file"] == TINY.read_text()


NETEM = """apiVersion: mininetes.dev/v1alpha1
kind: Experiment
metadata: {name: slow}
spec:
  steps:
  - {name: slow, fault: {link: [worker, s1], delay: 5ms, duration: 1s}}
"""


def test_what_the_kernel_cannot_do_is_refused_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow.yaml").write_text(NETEM)
    monkeypatch.setattr(surroundings, "has_netem", lambda: False)
    with pytest.raises(MachineError, match=r"step 'slow': its fault has delay.*sch_netem") as refused:
        runner.run(file.load(tmp_path / "slow.yaml"), tmp_path / "results")
    assert refused.value.exit_status == 3
    assert not (tmp_path / "results").exists()


def test_the_time_left_learns_from_what_runs_took(tiny: Experiment) -> None:
    now = [0.0]
    runs = order.runs(tiny)
    pace = Pace(lambda: now[0])
    pace.begin(runs)
    assert pace.left_s == pytest.approx(sum(map(estimate_s, runs)))
    now[0] = 2 * estimate_s(runs[0])
    pace.finished()
    assert pace.left_s == pytest.approx(2 * sum(map(estimate_s, runs[1:])))
    now[0] += 1
    assert pace.left_s == pytest.approx(2 * sum(map(estimate_s, runs[1:])) - 1)
    assert [clock(each) for each in (5, 65, 7387)] == ["0:05", "1:05", "2:03:07"]


def test_what_the_switch_says() -> None:
    coverage = (
        "Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=1:\n"
        "datapath_drop_upcall_error   0.0/sec     0.000/sec        0.0000/sec   total: 3\n"
        "xlate_actions              1.2/sec     0.917/sec        0.0153/sec   total: 55\n"
        "drop_action_of_pipeline    0.0/sec     0.000/sec        0.0000/sec   total: 4\n"
    )
    assert drops(coverage) == 7
    assert usage("handlers:1 ofconns:3 ports:12 revalidators:1 rules:2345 udpif keys:12\n")["udpif keys"] == 12


def test_nobody_has_to_listen(tiny: Experiment) -> None:
    quiet = Silent()
    quiet.planned(order.runs(tiny), 0)
    quiet.finished(order.runs(tiny)[0], None)


def test_a_bar_says_how_far_it_is(tiny: Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    runs = order.runs(tiny)
    with Bar() as bar:
        bar.planned(runs, 0)
        bar.finished(runs[0], None)
        bar.step(runs[1], "load")
    told = capsys.readouterr().err
    assert f"████{'·' * 20} 1/6" in told
    assert f"{runs[1].key}: load" in told
    assert " left" in told
