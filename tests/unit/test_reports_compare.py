"""Two results side by side: what differs by more than repetitions do, and what else differs."""

from __future__ import annotations

import json
from pathlib import Path

import experiment_results as made
from click.testing import CliRunner

from experiments.reports import comparison
from experiments.reports.commands import compare
from experiments.reports.comparison import Line, Side


def _line(a: tuple[float, ...], b: tuple[float, ...], better: str | None = "higher") -> Line:
    return Line("x", "count", better, Side(a, ""), Side(b, ""))  # type: ignore[arg-type]


def test_a_difference_counts_when_it_exceeds_the_spread_of_repetitions() -> None:
    assert _line((10, 11, 12), (11, 12, 13)).word == "within the spread"
    assert _line((10, 11, 12), (14, 15, 16)).word == "better"
    assert _line((10, 11, 12), (14, 15, 16), "lower").word == "worse"
    assert _line((10, 11, 12), (1, 2, 3)).word == "worse"
    assert _line((10, 11, 12), (14, 15, 16), None).word == "higher"
    assert _line((10, 10, 10), (10, 20, 40)).word == "within the spread"


def test_without_repetitions_nothing_is_decided() -> None:
    assert _line((10,), (20, 21)).word == "not known"
    assert _line((), (20, 21)).word == "no valid run"
    assert _line((), (20, 21)).row() == ("x", "- [0]", "20.5 [2]", "-", "1", "no valid run")


def test_a_slower_result_is_worse_and_a_command_says_no(tmp_path: Path) -> None:
    a = made.save(made.comparison(), tmp_path / "a")
    b = made.save(made.comparison(seed=8, slower=1.5), tmp_path / "b")
    answer = CliRunner().invoke(compare, [str(a), str(b / "results.json"), "-o", "json"], standalone_mode=False)
    assert answer.return_value == 1
    words = {line["name"]: line["difference"] for line in json.loads(answer.stdout)["lines"]}
    assert {words[name] for name in words if name.startswith("tcp: overlay, ")} == {"worse"}
    assert words["tcp: overlay / direct (path across nodes, streams 1)"] == "within the spread"
    same = CliRunner().invoke(compare, [str(a), str(a)], standalone_mode=False)
    assert same.return_value == 0
    assert "worse" not in same.stdout


def test_a_number_of_a_group_with_an_invalid_run_says_so() -> None:
    a = made.result(made.failover())
    gap = comparison.lines(a, a)[0]
    assert gap.row() == ("gap: two workers", "1.15 s [4; 1 invalid]", "1.15 s [4; 1 invalid]", "1", "0.149 s", "within the spread")


def test_other_differences_are_told() -> None:
    a, b = made.comparison(), made.comparison()
    b |= {"seed": 8, "file": "other"}
    b["versions"] = b["versions"] | {"open_vswitch": "3.3.0"}
    b["machine"] = b["machine"] | {"processors": 8}
    b["figures"] = b["figures"][:1]
    told = list(comparison.notices(made.result(a), made.result(b)))
    assert told[:5] == [
        "the seed differs: 7 in A, 8 in B",
        "the version of open vswitch differs: 3.1.0 in A, 3.3.0 in B",
        "the machine's processors differs: 2 in A, 8 in B",
        "the experiment's file is not the same in A and B",
        "only A has the figure cpu",
    ]
    assert told[5].startswith("run 5 of A (direct) is degraded: other processes took 8 %")


def test_results_without_a_common_figure_are_not_compared(tmp_path: Path) -> None:
    a, b = made.save(made.comparison(), tmp_path / "a"), made.save(made.failover(), tmp_path / "b")
    answer = CliRunner().invoke(compare, [str(a), str(b)])
    assert answer.exit_code == 2
    assert "nothing to compare: no figure of 'overlay-direct' is one of 'failover'" in answer.stderr
