"""The suite: its order, its programs, and what is concluded from its runs."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from experiments import environment, hands, iperf
from experiments.fidelity import Fidelity
from experiments.hands import Hand
from experiments.iperf import IperfError, Result
from experiments.suite import arms, cells, loads, record, run, table, usage
from experiments.suite.cells import Cell
from experiments.suite.record import Run
from experiments.suite.run import Options
from experiments.testbed import CommandError

POD = Cell("tcp-1", "cross-node", "pod", "overlay")
SERVICE = Cell("tcp-1", "cross-node", "service", "overlay")
DIRECT = Cell("tcp-1", "cross-node", "pod", "direct")
BUSY = {"switch_busy": 0.9, "cpu_busy": 0.8}


def one(arm: str, cell: Cell, repetition: int, gbps: float, verdict: Any = "valid", busy: Any = BUSY) -> Run:
    culprits = () if verdict == "valid" else ("somebody else",)
    figures = {"throughput": gbps * 1e9, "processors": 1.5}
    return Run(0, arm, cell, repetition, "2026-01-01T00:00:00+00:00", 1.0, figures, Fidelity(verdict, culprits, busy))


RUNS = [
    *(one("mininetes", POD, n, gbps) for n, gbps in enumerate((5.0, 6.0, 4.0))),
    *(one("plain", POD, n, gbps) for n, gbps in enumerate((10.0, 10.0, 10.0))),
    *(one("mininetes", SERVICE, n, gbps) for n, gbps in enumerate((4.9, 6.0, 4.1))),
]


def ratio(runs: list[Run], name: str) -> record.Ratio:
    return next(found for found in record.ratios(runs) if found.name == name)


def test_every_cell_is_measured_in_both_arms_as_often() -> None:
    planned = run.order(Options(repetitions=3))
    assert len(planned) == len(set(planned)) == 3 * 2 * (len(cells.ALL) + len(cells.IDLE))
    for first, second in zip(planned[::2], planned[1::2], strict=True):
        assert first[:2] == second[:2], "the arms of a cell follow each other"
        assert {first[2], second[2]} == set(arms.ARMS)
    begin = [first[2] for first in planned[::2]]
    assert abs(begin.count("plain") - begin.count("mininetes")) <= 3


def test_the_seed_decides_the_order() -> None:
    assert run.order(Options(seed=3)) == run.order(Options(seed=3)) != run.order(Options(seed=4))


def test_the_quick_selection_is_one() -> None:
    assert set(cells.QUICK) < set(cells.ALL)
    assert len(set(cells.ALL)) == 2 * 5 * 2 * 2


def test_what_is_reported_is_a_figure() -> None:
    assert set(cells.REPORTED) < {name for name, *_ in cells.FIGURES}


def test_ratios_are_of_runs_of_one_repetition() -> None:
    assert ratio(RUNS, "mininetes over plain").pairs == pytest.approx((0.5, 0.6, 0.4))
    within = ratio(RUNS, "service over pod in mininetes")
    assert within.pairs == pytest.approx((0.98, 1.0, 1.025))
    assert within.by == {"load": "tcp-1", "path": "cross-node", "mode": "overlay"}


def test_invalid_runs_are_in_no_ratio() -> None:
    runs = [*RUNS[:2], one("mininetes", POD, 2, 99.0, "invalid"), *RUNS[3:]]
    assert ratio(runs, "mininetes over plain").pairs == pytest.approx((0.5, 0.6))
    assert record.middle(runs, "mininetes", POD, "throughput") == pytest.approx(5.5e9)


def test_expectations() -> None:
    service, tunnel = record.expectations(record.ratios(RUNS), RUNS)
    assert (service["holds"], service["found"]) == (True, "1.000")
    assert (tunnel["holds"], tunnel["found"]) == (None, "no valid pair of runs")
    worse = [*RUNS[:6], *(one("mininetes", SERVICE, n, 2.0) for n in range(3))]
    assert record.expectations(record.ratios(worse), worse)[0]["holds"] is False


def test_a_cause_is_told_where_overlay_and_direct_differ() -> None:
    runs = [*RUNS, *(one("mininetes", DIRECT, n, 2.5, busy={"switch_busy": 0.9, "cpu_busy": 1.0}) for n in range(3))]
    tunnel = record.expectations(record.ratios(runs), runs)[1]
    assert tunnel["found"].startswith("2.000: direct mode is the slower one")
    assert "the switch works 0.51 times as long in overlay mode" in tunnel["found"]
    assert tunnel["holds"] is True
    within = [*RUNS, *(one("mininetes", DIRECT, n, gbps) for n, gbps in enumerate((5.0, 6.0, 4.0)))]
    assert record.expectations(record.ratios(within), within)[1]["found"] == "1.000"


def test_what_is_within_an_arm_is_reported_load_by_load() -> None:
    runs = [*RUNS, *(one("mininetes", DIRECT, n, 5.0) for n in range(3))]
    found = record.reported(record.ratios(runs))
    assert [(ratio.name, ratio.by["load"], len(ratio.pairs)) for ratio in found if ratio.over == ratio.of == "mininetes"] == [
        ("service over pod in mininetes", "tcp-1", 3), ("overlay over direct in mininetes", "tcp-1", 3),
    ]  # fmt: skip


def test_a_difference_without_a_cause_does_not_hold() -> None:
    runs = [*RUNS, *(one("mininetes", DIRECT, n, 2.5, busy={}) for n in range(3))]
    tunnel = record.expectations(record.ratios(runs), runs)[1]
    assert (tunnel["holds"], tunnel["found"]) == (False, "2.000")


def test_what_is_compared_is_measured_near_each_other() -> None:
    planned = [(cell.load, cell.path) for _, cell, _ in run.order(Options(repetitions=1))]
    changes = sum(before != after for before, after in pairwise(planned))
    assert changes + 1 == len(set(planned))


def test_claims_follow_from_the_runs() -> None:
    said = record.claims(record.ratios(RUNS), RUNS)
    assert said[0] == "TCP throughput: Mininetes has 0.50 of what the plain data plane has (median of 3 pairs)."
    direct = [one(arm, DIRECT, n, gbps) for arm, gbps in (("mininetes", 2.0), ("plain", 16.0)) for n in range(3)]
    said = record.claims(record.ratios([*RUNS, *direct]), RUNS)
    assert said[0] == (
        "TCP throughput: Mininetes has 0.25 of what the plain data plane has "
        "(geometric mean of 2 cells, each the median of its pairs, 6 in all)."
    )
    invalid = [one(each.arm, each.cell, each.repetition, 1.0, "invalid") for each in RUNS]
    assert record.claims(record.ratios(invalid), invalid) == ["9 of 9 runs were invalid or failed; they are in no figure."]


def document(runs: list[Run]) -> dict[str, Any]:
    found = record.ratios(runs)
    return {
        "runs": [each.to_json() for each in runs], "ratios": [each.to_json() for each in found],
        "claims": record.claims(found, runs), "expectations": record.expectations(found, runs),
    }  # fmt: skip


def test_the_table_never_shows_a_number_without_its_verdict() -> None:
    runs = [*RUNS[:2], one("mininetes", POD, 2, 99.0, "degraded"), *(one("plain", POD, n, 9.0, "invalid") for n in range(3))]
    (row,) = table.rows(document(runs))
    assert row == (
        "tcp-1", "cross-node", "pod", "overlay", "6.00 Gbit/s", "9.00 Gbit/s, invalid", "", "1.50 / -",
        "2 valid, 1 degraded, 3 invalid",
    )  # fmt: skip
    assert "not valid, for instance: somebody else" in list(table.conclusions(document(runs)))


def test_a_result_has_a_directory_by_its_beginning(tmp_path: Path) -> None:
    directory = run.write({"name": "perf", "started": "2026-11-26T21:19:03.123+00:00"}, tmp_path)
    assert directory == tmp_path / "perf" / "20261126T211903"
    assert json.loads((directory / run.RESULTS_FILE).read_text())["name"] == "perf"


@pytest.fixture
def hand() -> Iterator[Hand]:
    with hands.in_machine("here", ()) as found:
        yield found


def test_a_hand_runs_programs(hand: Hand) -> None:
    answer = hand.do("run", argv=[sys.executable, "-c", "print(6 * 7); raise SystemExit(3)"], timeout=20)
    assert (answer["out"], answer["status"]) == ("42\n", 3)
    with pytest.raises(CommandError, match="took longer than"):
        hand.do("run", argv=["sleep", "20"], timeout=0.1)


@pytest.mark.parametrize("load", ["requests", "connections"])
def test_a_hand_asks_and_answers(hand: Hand, load: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    hand.do("serve", address="127.0.0.1", port=port)
    answer = hand.do(load, address="127.0.0.1", port=port, seconds=0.2)
    assert answer["per_s"] > 10
    assert 0 < answer["p50"] <= answer["p99"] < 0.2


def test_a_hand_that_is_refused_says_so(hand: Hand) -> None:
    with pytest.raises(CommandError, match="here: connections: ConnectionRefusedError"):
        hand.do("connections", address="127.0.0.1", port=1, seconds=0.1)


def test_figures_of_iperf3() -> None:
    answer = {"start": {"test_start": {"protocol": "UDP"}},
              "end": {"sum": {"bits_per_second": 1e9, "seconds": 1.0, "lost_percent": 25.0, "jitter_ms": 0.1}}}  # fmt: skip
    assert loads.together([iperf.parse(answer)]) == {"throughput": 1e9, "lost": 0.25}


def test_a_hand_measures_with_iperf3(hand: Hand) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    iperf.serve(hand, ip_address("127.0.0.1"), port)
    with hands.in_machine("there", ()) as client:
        assert iperf.ask(client, "127.0.0.1", port, iperf.Options(size_bytes=iperf.SHORT_BYTES)).bits_per_second > 1e6
        with pytest.raises(IperfError, match="unable to connect"):
            iperf.ask(client, "127.0.0.1", 1, iperf.Options(size_bytes=1 << 20))


def test_a_hand_says_why_a_program_did_not_start(hand: Hand) -> None:
    with pytest.raises(CommandError, match="sh ended with 3: no way"):
        hand.start("sh", "-c", "echo no way; exit 3", said="listening")


def test_what_a_hand_runs_must_end_well(hand: Hand) -> None:
    assert hand.output("echo", "well") == "well\n"
    with pytest.raises(CommandError, match="sh ended with 1: no way"):
        hand.output("sh", "-c", "echo no way >&2; exit 1")


def test_the_throughput_of_many_connections_is_all_they_carried_in_all_their_time() -> None:
    fast, slow = Result(4e9, 0.1, "tcp", retransmits=2), Result(1e9, 0.4, "tcp", retransmits=1)
    assert loads.together([fast, slow]) == {"throughput": pytest.approx(1.6e9), "retransmits": 3}


def test_memory_of_a_process_tree() -> None:
    with hands.in_machine("here", ()) as found:
        found.do("run", argv=["true"], timeout=20)
        assert usage.memory_bytes(found._process.pid) > 1e6
    assert usage.memory_bytes(found._process.pid) == 0


def test_the_environment() -> None:
    assert environment.machine()["processors"] >= 1
    assert environment.versions()["kernel"]
