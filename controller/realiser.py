"""All switches together: gives each what its node must hold, and tells which revision all of them hold."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cluster.client import Batch
from cluster.model import OF_PORT_EDGE, Edge
from controller.desired import Desired
from controller.edge_health import PROBE_S, Health
from controller.events import BarrierAnswer, Connection, HeldFlows, HeldGroups, PacketIn, Received, Refused
from controller.flow import Translation
from controller.pipeline import EDGE_ZONE, conntrack_zones
from controller.switch import Switch

LOG = logging.getLogger("controller.realiser")

Report = Callable[[int, Mapping[str, Any]], None]
"""Told (revision that all switches hold, detail) whenever either changes."""


Later = Callable[[float, object], None]
"""Told (seconds, item): post that item then."""

REVALIDATED_S = 1.0
"""A datapath flow may outlive the flow that it was made from by so much, and begin connections by it."""
_LAST_REVALIDATED_S = 16.0
"""… or by so much, where the machine is busy: so it is looked again, each time after twice as long."""

GROUPS_OUTLIVE_S = 30.0
"""So long groups stay that no flow names any more, or twice as long: longer than a datapath flow that nobody uses (10 s)."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Connections that were translated so are to be forgotten once more."""

    translations: tuple[Translation, ...]
    after_s: float
    """How long after the last time."""


@dataclass(frozen=True, slots=True)
class Retire:
    """Groups that no flow names any more are to go."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The nodes are to be asked whether they are there."""


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
        self._health: Health | None = None
        self._retiring = False

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
            case HeldFlows(wires, last):
                switch.holds_flows(wires, last)
            case HeldGroups(ids, last):
                switch.holds_groups(ids, last)
            case BarrierAnswer(xid):
                switch.barrier_answered(xid)
            case Refused(xid, error):
                switch.refuses(xid, error)
            case PacketIn(frame):
                # Several a second from each node: nothing to tell of most of them.
                if self._heard(connection.dpid, frame):
                    return
        self._tell()

    def posted(self, item: object) -> None:
        """A Batch of changes from the API, or an Ended, Ask or Retire of our own."""
        match item:
            case Ended():
                self._forget(item)
            case Ask():
                self._ask()
            case Retire():
                self._retire()
            case Batch():
                self._take(item)
            case _:
                raise TypeError(f"posted: {type(item).__name__}, must be a Batch")

    def _take(self, batch: Batch) -> None:
        self._desired.take(batch)
        # To be said again: the API server that sent this may be a new one, which has not heard it.
        self._last_report = (self._last_report[0], {})
        known = self._names
        self._watch_nodes()
        for dpid in self._switches.keys() - known:
            self._drop_switch(dpid)
        ended = self._desired.ended()
        if ended:
            self._later(REVALIDATED_S, Ended(tuple(ended), REVALIDATED_S))
        for dpid, connection in self._connections.items():
            if dpid in self._switches:
                self._want(dpid, ended)
            else:
                self._attach(connection)
        self._tell()

    def _retire(self) -> None:
        self._retiring = any([switch.retire_groups() for switch in self._switches.values()])
        if self._retiring:
            self._later(GROUPS_OUTLIVE_S, Retire())

    def _forget(self, item: Ended) -> None:
        ended = self._desired.still_ended(item.translations)
        for switch in self._switches.values():
            switch.forget(ended)
        if ended and (next_s := 2 * item.after_s) <= _LAST_REVALIDATED_S:
            self._later(next_s, Ended(tuple(ended), next_s))

    @property
    def _edge(self) -> Edge | None:
        return self._desired.cluster.edge if self._desired.cluster else None

    @property
    def _names(self) -> Mapping[int, str]:
        """All switches: those of nodes by their names, and the edge's."""
        cluster, edge = self._desired.cluster, self._edge
        names = {node.dpid: node.name for node in cluster.nodes} if cluster else {}
        return {**names, edge.dpid: edge.bridge} if edge else names

    def _watch_nodes(self) -> None:
        """From the first batch on, as long as the process lives."""
        cluster, edge = self._desired.cluster, self._edge
        if self._health is None and cluster and edge:
            self._health = Health(cluster, edge)
            self._later(PROBE_S, Ask())

    def _ask(self) -> None:
        """Ask all nodes again; those that have not answered are out."""
        edge, health = self._edge, self._health
        if edge is None or health is None:
            return
        before = health.alive
        if (switch := self._switches.get(edge.dpid)) is not None and switch.realised_revision:
            switch.send_out(health.questions(), OF_PORT_EDGE)
        self._if_changed(before)
        self._later(PROBE_S, Ask())

    def _heard(self, dpid: int, frame: bytes) -> bool:
        """Whether it was a node's answer to the edge."""
        if self._health is None or self._edge is None or dpid != self._edge.dpid:
            self._packet_ins += 1
            return False
        before = self._health.alive
        self._health.answered(frame)
        self._if_changed(before)
        return True

    def _if_changed(self, before: frozenset[str]) -> None:
        now = self._health.alive if self._health else before
        if self._edge and now != before:
            LOG.warning("nodes that answer at the edge: %s", ", ".join(sorted(now)) or "none")
            self._want(self._edge.dpid)

    def _attach(self, connection: Connection) -> None:
        """Begin with a switch, once the cluster is known that it is of."""
        name = self._names.get(connection.dpid)
        if name is None:
            return
        is_edge = self._edge is not None and connection.dpid == self._edge.dpid
        zone = EDGE_ZONE if is_edge else conntrack_zones(connection.dpid)[0]
        switch = self._switches[connection.dpid] = Switch(name, zone, connection.send)
        switch.connected()
        self._want(connection.dpid)

    def _want(self, dpid: int, ended: Iterable[Translation] = ()) -> None:
        switch = self._switches[dpid]
        if not self._retiring:
            self._retiring = True
            self._later(GROUPS_OUTLIVE_S, Retire())
        if self._health and self._edge and dpid == self._edge.dpid:
            switch.want(self._desired.revision, self._desired.edge_table(self._health.alive))
        else:
            switch.want(self._desired.revision, self._desired.tables[switch.node], ended)

    def _drop_switch(self, dpid: int) -> None:
        switch = self._switches.pop(dpid, None)
        if switch is not None:
            self._flow_mods_of_lost_switches += switch.flow_mods_sent

    def _tell(self) -> None:
        """Report when something is new. A node whose switch is away keeps the revision where it was."""
        switches = {name: self._switches.get(dpid) for dpid, name in self._names.items()}
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
                if not self._edge or name != self._edge.bridge
            },
            "flow_mods_sent": self._flow_mods_of_lost_switches + sum(switch.flow_mods_sent for switch in present),
            "packet_ins": self._packet_ins,
            "refused": [str(refusal) for switch in present for refusal in switch.refused.values()],
        }
