"""Few pairs that stand for all: every node towards every node, every pod asking and being asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

Pod = TypeVar("Pod")


def pairs(by_node: Sequence[Sequence[Pod]]) -> Iterator[tuple[Pod, Pod]]:
    """One pair for each ordered pair of nodes (a node with itself too), and as many rounds of that as it takes until
    every pod was on both sides. `by_node`: each node's pods.

    The pods of a node take turns: the one that asks by the node that is asked, the one that is asked by the node
    that asks.
    """
    nodes = [pods for pods in by_node if pods]
    rounds = max((-(-len(pods) // len(nodes)) for pods in nodes), default=0)
    for turn in range(rounds):
        for a, asking in enumerate(nodes):
            for b, asked in enumerate(nodes):
                start = turn * len(nodes)
                yield asking[(start + b) % len(asking)], asked[(start + a) % len(asked)]
