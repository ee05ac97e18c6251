"""Which delays, jitters and losses of a cluster's links a run is held to: who pings whom, and across what."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.model import Cluster, LinkShape
from experiments.fidelity import Cable, Link
from experiments.fidelity.crossing import takes_many
from experiments.testbed import Testbed

_FEW, _MANY = ("51", "0.02"), ("4001", "0.002")
"""How many pings, how many seconds apart: for a delay, and for what only many of them tell."""


def netem_links(testbed: Testbed, cluster: Cluster) -> tuple[Link, ...]:
    """Of every node and client whose cable to a switch has delay, jitter or loss: across it, to a node of the same switch, and back.

    Not of cables between switches, nor where no node is at the same switch. What the way takes without a delay, two machines
    of that switch tell whose cables do nothing; where there are none, a machine that asks itself.
    """
    return tuple(_links(testbed, cluster))


def _links(testbed: Testbed, cluster: Cluster) -> Iterator[Link]:
    cables = {
        machine: (switch, link.shape)
        for link in cluster.underlay.links
        for machine, switch in ((link.a, link.b), (link.b, link.a))
        if switch in cluster.underlay.switches and machine not in cluster.underlay.switches
    }
    prefixes = {**{node.name: testbed.prefix(f"node/{node.name}") for node in cluster.nodes},
                **{client.name: testbed.prefix(f"client/{client.name}") for client in cluster.clients}}  # fmt: skip
    for name, (switch, shape) in cables.items():
        others = [node for node in cluster.nodes if node.name != name and cables.get(node.name, ("",))[0] == switch]
        if not shape.needs_netem or not others:
            continue
        # The one whose own cable disturbs least.
        other = min(others, key=lambda node: cables[node.name][1].needs_netem)
        crossed = _cable(shape), _cable(cables[other.name][1])
        address = str(other.addresses[0])
        bare = [machine for machine, (at, its) in cables.items() if at == switch and not its.needs_netem and machine != other.name]
        yield Link(
            f"{name}:cable",
            ping=(*prefixes[name], *_ping(address, *(_MANY if takes_many(crossed) else _FEW))),
            ping_bare=(
                (*prefixes[bare[0]], *_ping(address, *_FEW)) if bare and crossed[1] == Cable()
                else (*prefixes[name], *_ping("::1" if ":" in address else "127.0.0.1", *_FEW))
            ),
            cables=crossed,
        )  # fmt: skip


def _ping(address: str, count: str, every_s: str) -> tuple[str, ...]:
    return ("ping", "-n", "-W", "1", "-c", count, "-i", every_s, address)


def _cable(shape: LinkShape) -> Cable:
    return Cable(shape.delay_ms or 0.0, shape.jitter_ms or 0.0, (shape.loss_percent or 0.0) / 100)
