"""Sentences follow from the data, and from nothing else."""

from __future__ import annotations

import experiment_results as made
import pytest

from experiments.reports import claims, summary, table, units


def _said(document: made.Document) -> str:
    return "\n".join(claims.of(made.result(document)))


def test_a_ratio_is_told_with_its_pairs_and_what_they_say() -> None:
    said = _said(made.comparison())
    assert "tcp: overlay / direct (path across nodes, streams 1): median 0.871 of 3 pairs (0.862 to 0.878); " \
           "every pair is below 1, which is worse." in said  # fmt: skip


def test_pairs_on_both_sides_of_one_show_no_difference() -> None:
    document = made.sweep()
    document["ratios"][0]["pairs"] = [0.8, 0.9, 1.2]
    assert "pairs lie on both sides of 1, so these data show no difference" in _said(document)


def test_a_ratio_without_pairs_has_no_number() -> None:
    document = made.sweep()
    document["ratios"] = [document["ratios"][0] | {"pairs": [], "median": None}]
    assert "No pair of runs can be compared: first packet: pipeline / iptables style (services 10)." in _said(document)


def test_along_a_parameter_growth_is_set_against_the_spread() -> None:
    said = _said(made.sweep())
    assert "first packet of pipeline: median 404 µs with services 10, 403 µs with services 10,000 " \
           "(0.999 times as much); that is within the spread of repetitions" in said  # fmt: skip
    assert "first packet of iptables style: median 0.396 ms with services 10, 2.79 ms with services 10,000 " \
           "(7.03 times as much); repetitions differ by 0.143 ms at most." in said  # fmt: skip


def test_an_invalid_run_is_in_no_median_and_is_told() -> None:
    document = made.failover()
    found = made.result(document)
    (group,) = summary.groups(found, found.figures[0])
    assert len(group.runs) == 5
    assert len(group.values) == 4
    assert group.remark == "1 invalid"
    document["runs"][3]["figures"]["gap"] = 1000.0
    assert _said(document) == _said(made.failover()), "what an invalid run measured changes no sentence"
    assert "Of 5 runs: 4 valid, 1 invalid. Invalid runs are in no median." in _said(document)


def test_nothing_is_made_of_runs_that_do_not_count() -> None:
    assert _said(made.ruined()).splitlines() == [
        "Of 2 runs: 1 valid, 1 invalid; 1 failed. Invalid runs are in no median.",
        "No run can be used, so nothing is said of any figure.",
    ]


def test_an_arm_without_a_run_that_counts_has_no_number() -> None:
    document = made.comparison()
    for run in document["runs"]:
        if run["arm"] == "overlay":
            run["fidelity"] = {**made.INVALID}
    said = _said(document)
    assert "cpu of overlay (path same node, streams 1): no number, since no run of it counts (3 invalid)." in said


def test_expectations_that_do_not_hold_are_told_with_what_was_found() -> None:
    assert "Not as expected: failed is 0; found 6." in _said(made.failover())
    assert "Of 2 expectations, 1 held; 1 not decided, for want of valid runs." in _said(made.comparison())


def test_a_line_of_the_table_has_its_verdict() -> None:
    lines = table.text(made.result(made.ruined())).splitlines()
    assert lines[0] == "experiment,seed,order,arm,repetition,began,verdict,culprits,error,figure,unit,value"
    assert lines[1].endswith(",gap,s,1.0")
    assert ",invalid,the processors were busy" in lines[1]
    assert lines[2].endswith(",valid,,the step 'load' failed: <curl> & its exit status 7,,,")
    assert len(table.text(made.result(made.sweep())).splitlines()) == 41


@pytest.mark.parametrize(("unit", "value", "text"), [
    ("bit/s", 2.3456e9, "2.35 Gbit/s"), ("bit/s", 0.0, "0 bit/s"), ("bit/s", 10e6, "10 Mbit/s"), ("s", 0.0014, "1.40 ms"),
    ("s", 12.0, "12 s"), ("s", 3e-7, "0.300 µs"), ("bytes", 5 * 2**20, "5 MiB"), ("count", 12345.0, "12,345"),
    ("ratio", 0.95123, "0.951"), ("1/s", 4321.6, "4,322 per second"), ("percent", 12.34, "12.3 %"),
])  # fmt: skip
def test_values_are_told_with_units(unit: units.Unit, value: float, text: str) -> None:
    assert units.text(unit, value) == text


def test_a_samples_unit_is_the_suffix_of_its_name() -> None:
    assert units.of_name("cpu_percent/ovs-vswitchd") == (1, "percent")
    assert units.of_name("latency_ms") == (1e-3, "s")
    assert units.of_name("requests_per_s") == (1, "1/s")
    assert units.of_name("flows") == (1, "count")


def test_a_ratio_within_one_arm_is_called_by_its_name() -> None:
    document = made.sweep()
    document["ratios"] = [document["ratios"][3] | {"of": "pipeline", "name": "service over pod", "by": {}}]
    assert "first packet: service over pod: median 0.144 of 5 pairs" in _said(document)


def test_a_run_that_nobody_watched_counts_and_is_marked() -> None:
    document = made.ruined()
    document["runs"][0]["fidelity"] = None
    said = _said(document)
    assert "Of 2 runs: 1 valid, 1 unwatched; 1 failed." in said
    assert "gap of alone: 1 s in one run (1 without it, 1 unwatched)." in said


def test_only_the_figures_that_an_experiment_names_are_its_own() -> None:
    found = made.result(made.failover() | {"reported": ["gap"]})
    assert [figure.name for figure in found.own] == ["gap"]
    assert [figure.name for figure in found.others] == ["failed"]
    assert not any(claim.startswith("failed of") for claim in claims.of(found))
