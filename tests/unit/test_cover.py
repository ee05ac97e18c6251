"""Pairs that stand for all."""

from __future__ import annotations

from itertools import product

import pytest

from topo import cover


def cluster(*sizes: int) -> list[list[str]]:
    return [[f"n{node}/p{pod}" for pod in range(size)] for node, size in enumerate(sizes)]


def node(pod: str) -> str:
    return pod.partition("/")[0]


@pytest.mark.parametrize("sizes", [(1,), (3,), (2, 2), (1, 7), (5, 1, 4), (20,) * 30])
def test_every_pod_asks_and_is_asked(sizes: tuple[int, ...]) -> None:
    by_node = cluster(*sizes)
    pairs = list(cover.pairs(by_node))
    everybody = {pod for pods in by_node for pod in pods}
    assert {asking for asking, _ in pairs} == {asked for _, asked in pairs} == everybody


@pytest.mark.parametrize("sizes", [(3,), (2, 2), (1, 7), (5, 1, 4), (20,) * 30])
def test_every_node_asks_every_node(sizes: tuple[int, ...]) -> None:
    pairs = cover.pairs(cluster(*sizes))
    nodes = [f"n{number}" for number in range(len(sizes))]
    assert {(node(asking), node(asked)) for asking, asked in pairs} == set(product(nodes, nodes))


def test_nodes_with_many_pods_cost_one_round_only_where_there_are_many_nodes() -> None:
    assert len(list(cover.pairs(cluster(*(20,) * 100)))) == 100 * 100


def test_nodes_without_pods_are_left_out() -> None:
    assert list(cover.pairs([[], ["n1/p0"]])) == [("n1/p0", "n1/p0")]
    assert list(cover.pairs([])) == []
