"""bench policy: the figures out of the samples."""

from __future__ import annotations

from experiments.policy_bench import report
from experiments.statistics import Samples

ARMS = ("compile_s", "memory_bytes", "flows", "relabel_ms", "relabel_max_ms", "small_relabel_ms", "relabel_flows")


def test_growth_is_the_ratio_of_the_same_round() -> None:
    arms = {name: Samples((1.0, 2.0)) for name in ARMS} | {"small_relabel_ms": Samples((0.5, 2.0))}
    found = {goal.id: goal for goal in report({"flows": 511}, arms, 5000).goals}
    assert found["relabelled: t(5000) over t(100)"].value == 1.5
    assert all(goal.holds for goal in found.values())


def test_too_many_flows_do_not_hold() -> None:
    arms = {name: Samples((1.0,)) for name in ARMS}
    assert not report({"flows": 601}, arms, 5000).holds
