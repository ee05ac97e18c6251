"""All switches together: gives each what its node must hold, and tells which revision all of them hold."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cluster.client import Batch
from cluster.model import Node
from controller.desired import Desired
from controller.events import BarrierAnswer, Connection, HeldFlows, HeldGroups, PacketIn, Received, Refused
from controller.flow import Translation
from controller.switch import Switch

LOG = logging.getLogger("controller.realiser")

Report = Callable[[int, Mapping[str, Any]], None]
"""Told (revision that all switches hold, detail) whenever either changes."""


Later = Callable[[float, object], None]
"""Told (seconds, item): post that item then."""

REVALIDATED_S = 1.0
"""A datapath flow may outlive the flow that it was made from by so much, and begin connections by it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Connections that were translated so are to be forgotten once more."""

    translations: tuple[Translation, ...]


class Realiser:
    """The Handler of the Ryu application. All calls come one after the other."""

    def __init__(self, report: Report, later: Later = lambda delay_s, item: None) -> None:
        self._report, self._later = report, later
        self._desired = Desired()
        self._connections: dict[int, Connection] = {}
        self._switches: dict[int, Switch] = {}
        self._flow_mods_of_lost_switches = 0
        self._packet_ins = 0
        self._last_report: tuple[int, Mapping[str, Any]] = (-1, {})

    def connected(self, connection: Connection) -> None:
        """A switch that connects anew before its old connection is found dead: the new one counts."""
        self._drop_switch(connection.dpid)
        self._connections[connection.dpid] = connection
        self._attach(connection)
        self._tell()

    def disconnected(self, connection: Connection) -> None:
        if self._connections.get(connection.dpid) is not connection:
            return
        LOG.warning("switch %d disconnected", connection.dpid)
        del self._connections[connection.dpid]
        self._drop_switch(connection.dpid)
        self._tell()

    def received(self, connection: Connection, message: Received) -> None:
        switch = self._switches.get(connection.dpid)
        if switch is None or self._connections.get(connection.dpid) is not connection:
            return
        match message:
            case HeldFlows(keys, last):
                switch.holds_flows(keys, last)
            case HeldGroups(ids, last):
                switch.holds_groups(ids, last)
            case BarrierAnswer(xid):
                switch.barrier_answered(xid)
            case Refused(xid, error):
                switch.refuses(xid, error)
            case PacketIn():
                self._packet_ins += 1
        self._tell()

    def posted(self, item: object) -> None:
        """A Batch of changes from the API, or an Ended of our own."""
        if isinstance(item, Ended):
            self._forget(item)
            return
        if not isinstance(item, Batch):
            raise TypeError(f"posted: {type(item).__name__}, must be a Batch")
        self._desired.take(item)
        # To be said again: the API server that sent this may be a new one, which has not heard it.
        self._last_report = (self._last_report[0], {})
        known = set(self._node_by_dpid)
        for dpid in self._switches.keys() - known:
            self._drop_switch(dpid)
        ended = self._desired.ended()
        if ended:
            self._later(REVALIDATED_S, Ended(tuple(ended)))
        for dpid, connection in self._connections.items():
            if dpid in self._switches:
                self._want(dpid, ended)
            else:
                self._attach(connection)
        self._tell()

    def _forget(self, item: Ended) -> None:
        ended = self._desired.still_ended(item.translations)
        for switch in self._switches.values():
            switch.forget(ended)

    @property
    def _node_by_dpid(self) -> Mapping[int, Node]:
        cluster = self._desired.cluster
        return {node.dpid: node for node in cluster.nodes} if cluster else {}

    def _attach(self, connection: Connection) -> None:
        """Begin with a switch, once the cluster is known that has a node for it."""
        node = self._node_by_dpid.get(connection.dpid)
        if node is None:
            return
        switch = self._switches[connection.dpid] = Switch(node, connection.send)
        switch.connected()
        self._want(connection.dpid)

    def _want(self, dpid: int, ended: Iterable[Translation] = ()) -> None:
        switch = self._switches[dpid]
        switch.want(self._desired.revision, self._desired.tables[switch.node], ended)

    def _drop_switch(self, dpid: int) -> None:
        switch = self._switches.pop(dpid, None)
        if switch is not None:
            self._flow_mods_of_lost_switches += switch.flow_mods_sent

    def _tell(self) -> None:
        """Report when something is new. A node whose switch is away keeps the revision where it was."""
        switches = {node.name: self._switches.get(dpid) for dpid, node in self._node_by_dpid.items()}
        if not switches:
            return
        held = [switch.realised_revision if switch else 0 for switch in switches.values()]
        report = (min(held) or self._last_report[0], self._detail(switches))
        if report != self._last_report and (report[0] > 0):
            self._last_report = report
            self._report(*report)

    def _detail(self, switches: Mapping[str, Switch | None]) -> Mapping[str, Any]:
        present = [switch for switch in switches.values() if switch]
        return {
            "nodes": {
                name: {"flows": switch.flow_count if switch else 0, "connected": switch is not None}
                for name, switch in switches.items()
            },
            "flow_mods_sent": self._flow_mods_of_lost_switches + sum(switch.flow_mods_sent for switch in present),
            "packet_ins": self._packet_ins,
            "refused": [str(refusal) for switch in present for refusal in switch.refused.values()],
        }
