"""Which delays, jitters and losses of a cluster's links a run is held to: who pings whom, and across what."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.model import Cluster, LinkShape
from experiments.fidelity import Cable, Link
from experiments.fidelity.crossing import takes_many
from experiments.testbed import SANDBOX, Testbed

_FEW, _MANY = ("51", "0.02"), ("4001", "0.002")
"""How many pings, how many seconds apart: for a delay, and for what only many of them tell."""
_BARE = f"""
mount -t tmpfs none /run/netns
ip link add s type bridge
ip link set s up
for n in 1 2; do
  ip netns add m$n
  ip link add e$n type veth peer name e netns m$n
  ip link set e$n master s up
  ip -n m$n address add 192.0.2.$n/24 dev e
  ip -n m$n link set e up
done
ip netns exec m1 ping -n -c {_FEW[0]} -i {_FEW[1]} 192.0.2.2
"""
"""A switch and two machines whose cables do nothing, in namespaces that end with it."""


def netem_links(testbed: Testbed, cluster: Cluster) -> tuple[Link, ...]:
    """Of every node and client whose cable to a switch has delay, jitter or loss: across it, to a node of the same switch, and back.

    Not of cables between switches, nor where no node is at the same switch. What such a way takes without a delay, two machines
    tell that are made for it.
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
    bare = (*testbed.prefix(SANDBOX), "unshare", "--net", "--mount", "sh", "-ec", _BARE)
    for name, (switch, shape) in cables.items():
        others = [node for node in cluster.nodes if node.name != name and cables.get(node.name, ("",))[0] == switch]
        if not shape.needs_netem or not others:
            continue
        # The one whose own cable disturbs least.
        other = min(others, key=lambda node: cables[node.name][1].needs_netem)
        crossed = _cable(shape), _cable(cables[other.name][1])
        yield Link(
            f"{name}:cable",
            ping=(*prefixes[name], *_ping(str(other.addresses[0]), *(_MANY if takes_many(crossed) else _FEW))),
            ping_bare=bare,
            cables=crossed,
        )


def _ping(address: str, count: str, every_s: str) -> tuple[str, ...]:
    return ("ping", "-n", "-W", "1", "-c", count, "-i", every_s, address)


def _cable(shape: LinkShape) -> Cable:
    return Cable(shape.delay_ms or 0.0, shape.jitter_ms or 0.0, (shape.loss_percent or 0.0) / 100)
