"""Links and partitions as `faults` say they are: interfaces down, shapes by tc, routing rules that lead nowhere.

Partitions are rules and not filters: a node's tunnel and its routes both ask the node's routing rules, so one rule for each
address is all that it takes, and no packet filter has to be in the kernel.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from cluster.model import Cluster, LinkShape
from topo import faults, namespaces, netlink, nodes
from topo.cables import Cables
from topo.emulation import UPLINK, UnderlayNetwork, machines
from topo.faults import Faults
from topo.netlink import Rule

Item = TypeVar("Item")

_NOWHERE = 5
"""The priority of these rules: before whatever else a node goes by."""
_REASON = "fault"
_FILE = "faults.json"


class FaultKeeper:
    """Does what Node objects say. `run`: where it keeps what it has done, for an agent after this one."""

    def __init__(self, run: Path, cluster: Cluster, network: UnderlayNetwork, cables: Cables) -> None:
        self._cluster, self._network, self._cables = cluster, network, cables
        self._machines = {machine.name: machine for machine in machines(cluster)}
        self._links = {
            frozenset((link.intf1.node.name, link.intf2.node.name)): (link.intf1, link.intf2) for link in network.links
        }
        self._shapes = {frozenset((link.a, link.b)): link.shape for link in cluster.underlay.links}
        self._file = run / _FILE
        self._told: dict[str, dict[str, str]] = {}
        """The faults of each node's annotations."""
        self._done = faults.of(json.loads(self._file.read_text()) if self._file.exists() else {})
        self._first = True

    def take(self, seen: Iterable[Mapping[str, Any]]) -> None:
        """Node objects that are new or have changed."""
        self._told |= {node["metadata"]["name"]: faults.told(node) for node in seen}
        told = {key: text for each in self._told.values() for key, text in each.items()}
        wanted = faults.of(told)
        if wanted != self._done or self._first:
            self._cut(wanted)
            self._shape(wanted)
            self._part(wanted)
            if wanted != self._done:
                self._file.write_text(json.dumps(told))
            self._done, self._first = wanted, False

    def _cut(self, wanted: Faults) -> None:
        touched = self._touched(wanted.down, self._done.down)
        if touched:
            # Switches see at once that a cable is out, and know other ways.
            nodes.steer_loops(self._cluster, self._network, wanted.down)
        for ends in touched:
            for interface in self._links.get(ends, ()):
                if interface.name != UPLINK:
                    self._cables.set(str(interface.name), _REASON, ends in wanted.down)
                    break

    def _shape(self, wanted: Faults) -> None:
        for ends, _ in self._touched(wanted.shapes, self._done.shapes):
            shape = dict(wanted.shapes).get(ends, self._shapes.get(ends, LinkShape()))
            for interface in self._links.get(ends, ()):
                interface.reshape(shape)

    def _part(self, wanted: Faults) -> None:
        for name in self._machines:
            cut_off, were = wanted.unreachable(name), self._done.unreachable(name)
            if cut_off == were and not (self._first and cut_off):
                continue
            with namespaces.visit_pinned(name), netlink.Socket() as own:
                own.run(rule.deleted() for peer in sorted(were - cut_off) for rule in self._rules(peer))
                own.run(rule.added() for peer in sorted(cut_off) for rule in self._rules(peer))

    def _touched(self, wanted: frozenset[Item], done: frozenset[Item]) -> frozenset[Item]:
        """What is to be done or undone; at first all of it, since nodes, links and shapes were built anew before that."""
        return wanted | done if self._first else wanted ^ done

    def _rules(self, name: str) -> Iterator[Rule]:
        """That packets to this machine, or to the pods of this node, go nowhere."""
        machine, node = self._machines.get(name), self._cluster.node_by_name.get(name)
        for network in (*(machine.addresses if machine else ()), *(node.pod_cidrs if node else ())):
            yield Rule(network.version, _NOWHERE, None, to=network)
