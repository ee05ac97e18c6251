"""Loop-free forwarding in an underlay whose switches form loops (leaf-spine, or a list of links with a cycle).

A Linux bridge that floods into a loop floods for ever, and the spanning tree protocol would take seconds and
leave most links idle. Every MAC address is known here, so every switch is told where each of them is: one of the
shortest ways, spread over the equal ones. Only frames for everybody (ARP, neighbour discovery) are flooded, along
a spanning tree.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cluster.model import Link, Underlay


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What the switches are told. `flooding` are the indices (in Underlay.links) of the tree's links;
    `fdb` maps (switch, MAC) to the index of the link by which it leaves. Both empty: there is no loop, so the
    switches may learn and flood as they like."""

    flooding: frozenset[int]
    fdb: Mapping[tuple[str, str], int]


def forwarding(
    underlay: Underlay, macs: Mapping[str, str], down: Collection[frozenset[str]] = ()
) -> Forwarding:
    """Compute what the switches must know. `macs`: machine name -> MAC of its uplink. `down`: the ends of links that
    carry nothing, so that all ways lead round them."""
    cables = [
        (index, link)
        for index, link in enumerate(underlay.links)
        if link.a in underlay.switches and link.b in underlay.switches
    ]
    if len(_spanning_tree(underlay.switches, cables)) == len(cables):
        return Forwarding(frozenset(), {})
    between = [(index, link) for index, link in cables if frozenset((link.a, link.b)) not in down]
    tree = _spanning_tree(underlay.switches, between)
    fdb: dict[tuple[str, str], int] = {}
    neighbours: Counter[str] = Counter()
    for machine, mac in sorted(macs.items()):
        home, index = _home(underlay, machine)
        fdb[home, mac] = index
        # Counted on its own switch: nodes hang on leaves in turn, so every second one of all would have the same spine.
        for switch, ways in _ways_towards(home, between).items():
            fdb[switch, mac] = ways[neighbours[home] % len(ways)]
        neighbours[home] += 1
    machines = {index for index in range(len(underlay.links))} - {index for index, _ in cables}
    return Forwarding(frozenset(tree | machines), fdb)


def _spanning_tree(switches: Sequence[str], between: Sequence[tuple[int, Link]]) -> set[int]:
    group = {switch: switch for switch in switches}

    def root(switch: str) -> str:
        while group[switch] != switch:
            switch = group[switch]
        return switch

    tree = set()
    for index, link in between:
        a, b = root(link.a), root(link.b)
        if a != b:
            group[a] = b
            tree.add(index)
    return tree


def _home(underlay: Underlay, machine: str) -> tuple[str, int]:
    """The switch that a machine hangs on, and the index of the link."""
    for index, link in enumerate(underlay.links):
        if machine in (link.a, link.b):
            return (link.b if link.a == machine else link.a), index
    raise LookupError(f"{machine} is on no link")


def _ways_towards(home: str, between: Sequence[tuple[int, Link]]) -> dict[str, list[int]]:
    """For every other switch: the links that begin one of its shortest ways to `home`."""
    neighbours: dict[str, list[tuple[int, str]]] = {}
    for index, link in between:
        neighbours.setdefault(link.a, []).append((index, link.b))
        neighbours.setdefault(link.b, []).append((index, link.a))
    distance = {home: 0}
    queue = deque([home])
    while queue:
        switch = queue.popleft()
        for _, neighbour in neighbours.get(switch, ()):
            if neighbour not in distance:
                distance[neighbour] = distance[switch] + 1
                queue.append(neighbour)
    return {
        switch: [index for index, neighbour in neighbours[switch] if distance.get(neighbour, steps) < steps]
        for switch, steps in distance.items()
        if switch != home
    }
