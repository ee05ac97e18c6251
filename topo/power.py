"""Nodes that are switched off and on: what `mininetes fault node` says in an annotation, done to the node's uplink; and
the signs of life of those that are on.

Its cable is cut (`cables`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

from cluster import objects
from cluster.client import Client
from cluster.model import Cluster
from cluster.objects import POWER_ANNOTATION
from topo.cables import Cables
from topo.emulation import UPLINK, UnderlayNetwork
from topo.fault_keeper import FaultKeeper

HEARTBEAT_S = 0.25
_REASON = "power"


def is_off(node: Mapping[str, Any]) -> bool:
    """Whether a Node object says that its machine is switched off."""
    return bool((node["metadata"].get("annotations") or {}).get(POWER_ANNOTATION) == "off")


class Power:
    """Which nodes are on. `uplinks`: node -> the interface at the other end of its cable. `faults` does what else nodes'
    annotations say."""

    def __init__(
        self, uplinks: Mapping[str, str], nodes: Iterable[str], cables: Cables,
        faults: Callable[[Sequence[Mapping[str, Any]]], None] = lambda nodes: None,
    ) -> None:  # fmt: skip
        self._uplinks, self._cables, self._faults = uplinks, cables, faults
        self._nodes = frozenset(nodes)
        self._off: frozenset[str] = frozenset()
        self._known = False

    @property
    def on(self) -> frozenset[str]:
        """May be asked from any thread. Before anything is known of them, none."""
        return self._nodes - self._off if self._known else frozenset()

    def is_on(self, node: str) -> bool:
        return node not in self._off

    def take(self, nodes: Sequence[Mapping[str, Any]]) -> frozenset[str]:
        """Node objects that are new or have changed; the nodes that are off since, or on."""
        # First, so that a cable that is to stay cut is not mended in between.
        self._faults(nodes)
        return self.set({objects.name(node): is_off(node) for node in nodes})

    def set(self, states: Mapping[str, bool]) -> frozenset[str]:
        """Node -> whether it is off, of those that are heard of; the nodes whose state that changed. Idempotent."""
        off = (self._off - states.keys()) | {node for node, is_off in states.items() if is_off}
        changed = self._off ^ off
        # An agent before this one may have cut a cable that is to be mended since.
        for node in changed if self._known else self._uplinks:
            self._switch(node, node not in off)
        self._off, self._known = off, True
        return changed

    def _switch(self, node: str, on: bool) -> None:
        if node in self._uplinks:
            self._cables.set(self._uplinks[node], _REASON, not on)


def power_of(run: Path, cluster: Cluster, network: UnderlayNetwork) -> Power:
    """Of a cluster whose underlay is there; with it, whoever does the other faults."""
    cables = Cables()
    keeper = FaultKeeper(run, cluster, network, cables)
    return Power(uplinks(network), cluster.node_by_name, cables, keeper.take)


def uplinks(network: UnderlayNetwork) -> dict[str, str]:
    """Of each machine with one cable: the name of the interface at its other end."""
    found = {}
    for link in network.links:
        for near, far in ((link.intf1, link.intf2), (link.intf2, link.intf1)):
            if near.name == UPLINK:
                found[str(near.node.name)] = str(far.name)
    return found


def send_heartbeats(api: Client, alive: Callable[[], Iterable[str]]) -> None:
    """For ever, in a thread of its own: a busy agent is no dead node."""

    def send() -> None:
        while True:
            if nodes := sorted(alive()):
                api.post_heartbeat(nodes)
            time.sleep(HEARTBEAT_S)

    Thread(target=send, name="heartbeats", daemon=True).start()
