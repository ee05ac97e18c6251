"""Where switches send frames in an underlay with loops, also when links are down."""

from __future__ import annotations

from itertools import permutations

import pytest

from cluster.model import Underlay
from cluster.reading.config import resolve
from topo.bridging import Forwarding, forwarding

CLUSTER = resolve({
    "apiVersion": "mininetes.dev/v1alpha1", "kind": "Cluster",
    "nodes": [{"role": "control-plane"}, {"role": "worker", "count": 3}],
    "underlay": {"topology": "leaf-spine", "leaves": 2, "spines": 2},
})  # fmt: skip
MACS = {node.name: node.uplink_mac for node in CLUSTER.nodes}


def way(underlay: Underlay, found: Forwarding, source: str, target: str) -> list[frozenset[str]]:
    """The links that a frame takes from one machine to another."""
    link = next(each for each in underlay.links if source in (each.a, each.b))
    taken, here = [frozenset((link.a, link.b))], link.b if link.a == source else link.a
    while here != target:
        link = underlay.links[found.fdb[here, MACS[target]]]
        here = link.b if link.a == here else link.a
        taken.append(frozenset((link.a, link.b)))
        assert len(taken) < 10, "it goes round and round"
    return taken


@pytest.mark.parametrize("down", [[], [("s1", "s3")], [("s1", "s3"), ("s2", "s3")], [("s1", "s4")]])
def test_everybody_is_reached_round_what_is_down(down: list[tuple[str, str]]) -> None:
    ends = [frozenset(link) for link in down]
    found = forwarding(CLUSTER.underlay, MACS, ends)
    for source, target in permutations(MACS, 2):
        assert not set(way(CLUSTER.underlay, found, source, target)) & set(ends)
    flooded = [frozenset((link.a, link.b)) for index, link in enumerate(CLUSTER.underlay.links) if index in found.flooding]
    assert not set(flooded) & set(ends)


def test_without_loops_switches_learn() -> None:
    star = resolve({"apiVersion": "mininetes.dev/v1alpha1", "kind": "Cluster"})
    assert forwarding(star.underlay, MACS, [frozenset(("worker", "s1"))]) == Forwarding(frozenset(), {})


def test_who_is_cut_off_from_everybody_leaves_the_others_as_they_are() -> None:
    """Both spines lost by one leaf: the other leaf's machines reach each other still."""
    found = forwarding(CLUSTER.underlay, MACS, [frozenset(("s1", "s3")), frozenset(("s1", "s4"))])
    leaves = {machine: next({link.a, link.b} - {machine} for link in CLUSTER.underlay.links if machine in (link.a, link.b))
              for machine in MACS}  # fmt: skip
    together = [machine for machine in MACS if leaves[machine] == {"s2"}]
    for source, target in permutations(together, 2):
        assert len(way(CLUSTER.underlay, found, source, target)) == 2


def test_the_machines_of_one_leaf_are_reached_by_all_spines_in_turn() -> None:
    """Nodes hang on leaves in turn; counted over all of them, each leaf's would share one spine."""
    found = forwarding(CLUSTER.underlay, MACS, [])
    for leaf, machines in (("s1", ("control-plane", "worker2")), ("s2", ("worker", "worker3"))):
        source = next(machine for machine in MACS if machine not in machines)
        spines = [link - {"s1", "s2"} for machine in machines
                  for link in way(CLUSTER.underlay, found, source, machine) if leaf in link and machine not in link]  # fmt: skip
        assert len(set(spines)) == 2, f"{machines} share a way to {leaf}"
