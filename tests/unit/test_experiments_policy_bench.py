"""bench policy: the figures out of the samples."""

from __future__ import annotations

from experiments.policy_bench import report
from experiments.policy_throughput import FREE, GUARDED, KINDS
from experiments.statistics import Samples

ARMS = ("compile_s", "memory_bytes", "flows", "relabel_ms", "relabel_max_ms", "small_relabel_ms", "relabel_flows")
PACKETS = {f"{kind}_{arm}_{unit}": Samples((4.0,)) for kind in KINDS for arm in (FREE, GUARDED) for unit in ("gbps", "per_s")}


def test_growth_is_the_ratio_of_the_same_round() -> None:
    arms = {name: Samples((1.0, 2.0)) for name in ARMS} | {"small_relabel_ms": Samples((0.5, 2.0))}
    found = {goal.id: goal for goal in report({"flows": 511}, arms, PACKETS, 5000, 1000).goals}
    assert found["relabelled: t(5000) over t(100)"].value == 1.5
    assert all(goal.holds for goal in found.values())


def test_too_many_flows_do_not_hold() -> None:
    arms = {name: Samples((1.0,)) for name in ARMS}
    assert not report({"flows": 601}, arms, PACKETS, 5000, 1000).holds


def test_throughput_is_lost_where_policies_are() -> None:
    arms = {name: Samples((1.0,)) for name in ARMS}
    slow = PACKETS | {"cross_node_guarded_gbps": Samples((3.0,))}
    found = {goal.id: goal for goal in report({"flows": 511}, arms, slow, 5000, 1000).goals}
    cross = found["throughput with 1000 policies over without, cross node"]
    assert (cross.value, cross.holds) == (0.75, False)
    assert found["throughput with 1000 policies over without, same node"].holds
