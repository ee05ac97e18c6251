"""Which delays, jitters and losses of a cluster's links a run is held to: who pings whom, and across what."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.model import Cluster, LinkShape
from experiments.fidelity import Cable, Link
from experiments.testbed import Testbed

_FEW, _MANY = ("51", "0.02"), ("4001", "0.002")
"""How many pings, how many seconds apart: for a delay, and for what only many of them tell."""


def netem_links(testbed: Testbed, cluster: Cluster) -> tuple[Link, ...]:
    """Of every node and client whose cable to a switch has delay, jitter or loss: across it, to a node of the same switch, and back.

    Not of cables between switches, nor where no node is at the same switch.
    """
    return tuple(
        Link(
            f"{machine}:cable",
            ping=(*testbed.prefix(machine), "ping", "-n", "-W", "1", "-c", count, "-i", every_s, address),
            cables=cables,
        )
        for machine, address, cables in _crossings(cluster)
        for count, every_s in (_MANY if any(cable.jitter_ms or cable.loss for cable in cables) else _FEW,)
    )


def _crossings(cluster: Cluster) -> Iterator[tuple[str, str, tuple[Cable, ...]]]:
    """(machine as `mininetes exec` names it, address to ping, the cables between)."""
    cables = {
        machine: (switch, link.shape)
        for link in cluster.underlay.links
        for machine, switch in ((link.a, link.b), (link.b, link.a))
        if switch in cluster.underlay.switches and machine not in cluster.underlay.switches
    }
    targets = {**{node.name: f"node/{node.name}" for node in cluster.nodes},
               **{client.name: f"client/{client.name}" for client in cluster.clients}}  # fmt: skip
    for name, (switch, shape) in cables.items():
        others = [node for node in cluster.nodes if node.name != name and cables.get(node.name, ("",))[0] == switch]
        # The one whose own cable disturbs least.
        other = min(others, key=lambda node: cables[node.name][1].needs_netem, default=None)
        if shape.needs_netem and other is not None:
            yield targets[name], str(other.addresses[0]), (_cable(shape), _cable(cables[other.name][1]))


def _cable(shape: LinkShape) -> Cable:
    return Cable(shape.delay_ms or 0.0, shape.jitter_ms or 0.0, (shape.loss_percent or 0.0) / 100)
