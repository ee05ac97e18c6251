"""Which delays of a cluster's links a run is held to: what `ping` is to say, from which machine to which node."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.model import Cluster
from experiments.fidelity import Link
from experiments.testbed import Testbed

_PINGS, _EVERY_S = "20", "0.02"


def delayed_links(testbed: Testbed, cluster: Cluster) -> tuple[Link, ...]:
    """Of every node and client whose cable to a switch has a delay: across it, to a node of the same switch, and back.

    Not of cables between switches, nor where no node is at the same switch.
    """
    return tuple(
        Link(
            f"{machine}:delay",
            ping=(*testbed.prefix(machine), "ping", "-n", "-q", "-c", _PINGS, "-i", _EVERY_S, address),
            round_trip_ms=round_trip_ms,
        )
        for machine, address, round_trip_ms in _round_trips(cluster)
    )


def _round_trips(cluster: Cluster) -> Iterator[tuple[str, str, float]]:
    """(machine as `mininetes exec` names it, address to ping, milliseconds that it is to take)."""
    cables = {
        machine: (switch, link.shape.delay_ms or 0.0)
        for link in cluster.underlay.links
        for machine, switch in ((link.a, link.b), (link.b, link.a))
        if switch in cluster.underlay.switches and machine not in cluster.underlay.switches
    }
    targets = {**{node.name: f"node/{node.name}" for node in cluster.nodes},
               **{client.name: f"client/{client.name}" for client in cluster.clients}}  # fmt: skip
    for name, (switch, delay_ms) in cables.items():
        other = next((node for node in cluster.nodes if node.name != name and cables.get(node.name, ("",))[0] == switch), None)
        if delay_ms and other is not None:
            yield targets[name], str(other.addresses[0]), 2 * (delay_ms + cables[other.name][1])
