"""Figures out of samples; rules of the peers."""

from __future__ import annotations

from experiments import nft_peer, outside_bench, programming_bench, services_bench
from experiments.statistics import Samples


def samples(*values: float) -> Samples:
    return Samples(values)


def test_services_are_compared_round_by_round() -> None:
    costs = {
        "direct_gbps": samples(4, 5), "service_gbps": samples(4, 4.9),
        "direct_per_s": samples(1000, 1000), "service_per_s": samples(950, 960),
    }  # fmt: skip
    first = {
        f"{arm}_{size}_ms": samples(value, value)
        for arm, few, many in (("ours", 1.0, 1.05), ("iptables", 1.0, 2.0), ("nftables", 1.0, 1.0))
        for size, value in (("few", few), ("many", many))
    }
    assert services_bench.report(costs, first, 10_000).holds
    blind = {**first, "iptables_many_ms": samples(1.0, 1.0)}
    assert not services_bench.report(costs, blind, 10_000).holds, "a control arm that does not grow sees nothing"


def test_programming_has_a_goal_for_every_figure() -> None:
    changes = {"ms": [10.0] * 100, "messages": 3.0}
    load = {"installed_s": 5.0, "floor_s": 2.0, "memory_bytes": 3e8}
    guarded = {"policy": {"ms": [10.0] * 100}, "relabelled": {"ms": [10.0] * 100}}
    assert programming_bench.report(10_000, changes, changes, load, 1000, guarded).holds
    growing = {**changes, "messages": 30.0}
    assert not programming_bench.report(10_000, changes, growing, load, 1000, guarded).holds
    late = {**guarded, "relabelled": {"ms": [10.0] * 90 + [120.0] * 10}}
    assert not programming_bench.report(10_000, changes, changes, load, 1000, late).holds


def test_peers_have_a_rule_or_an_element_for_each_service() -> None:
    assert nft_peer.ruleset("iptables", 3).count("dnat to") == 3
    in_map = nft_peer.ruleset("nftables", 3)
    assert in_map.count("dnat") == 1
    assert all(nft_peer.cluster_ip(number) in in_map for number in range(3))


def test_every_way_in_is_compared_with_the_pod_itself() -> None:
    arms = {"direct": samples(1000, 1100), "node_port": samples(900, 1000), "load_balancer": samples(850, 900)}
    assert outside_bench.report(arms).holds
    assert not outside_bench.report({**arms, "node_port": samples(700, 700)}).holds
    assert outside_bench.report({**arms, "ingress": samples(300, 320)}).holds
    assert not outside_bench.report({**arms, "ingress": samples(100, 110)}).holds
