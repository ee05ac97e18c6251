"""The controller asks nodes by the edge's switch, and takes those that are silent out of it; no switch is needed to see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from cluster.client import Batch, Event
from cluster.model import Edge, Node
from controller import encode
from controller.edge_health import MISSED, PROBE_S
from controller.events import BarrierAnswer, HeldFlows, HeldGroups, PacketIn
from controller.pipeline import EDGE_LB, NODE_MARK, TABLE_ID
from controller.realiser import Ask, Realiser

CLUSTER = {
    "kind": "Cluster",
    "apiVersion": "mininetes.dev/v1alpha1",
    "metadata": {"name": "test"},
    "nodes": [{"role": "control-plane"}, {"role": "worker"}],
    "externalClients": 1,
}
OFPT_BARRIER_REQUEST = 20


@dataclass
class Connection:
    """Of the edge's switch, which does what it is told at once."""

    dpid: int = Edge.dpid
    sent: list[bytes] = field(default_factory=list)

    def send(self, wire: bytes) -> None:
        self.sent += _messages(wire)

    def take(self, kind: int) -> list[bytes]:
        """The messages of one type since the last look."""
        found = [message for message in self.sent if message[1] == kind]
        self.sent = [message for message in self.sent if message[1] != kind]
        return found


def _messages(wire: bytes) -> list[bytes]:
    found = []
    while wire:
        length = int.from_bytes(wire[2:4], "big")
        found.append(wire[:length])
        wire = wire[length:]
    return found


@dataclass
class World:
    realiser: Realiser
    edge: Connection
    later: list[tuple[float, object]]
    reports: list[Any]

    def settle(self) -> None:
        """The switch has done what it was sent last."""
        for message in self.edge.take(OFPT_BARRIER_REQUEST):
            self.realiser.received(self.edge, BarrierAnswer(int.from_bytes(message[4:8], "big")))

    def ask(self, *answering: Node) -> int:
        """One round of questions; how many there were."""
        self.edge.sent.clear()
        self.realiser.posted(Ask())
        questions = len(self.edge.take(encode.OFPT_PACKET_OUT))
        for node in answering:
            self.realiser.received(self.edge, PacketIn(bytes(6) + bytes.fromhex(node.uplink_mac.replace(":", ""))))
        self.settle()
        return questions

    @property
    def known(self) -> set[int]:
        """The nodes, by index, to which the edge's table leads connections."""
        switch = self.realiser._switches[Edge.dpid]
        table = self.realiser._desired.edge_table(self.realiser._health.alive)  # type: ignore[union-attr]
        assert switch._flows == set(table.flows), "the switch holds what it must"
        return {
            part.value >> NODE_MARK.low
            for flow in table if TABLE_ID[flow.table] == TABLE_ID[EDGE_LB]
            for part in flow.match if part.declared_name == NODE_MARK.name
        }  # fmt: skip


@pytest.fixture
def world() -> World:
    later: list[tuple[float, object]] = []
    reports: list[Any] = []
    realiser = Realiser(lambda *report: reports.append(report), lambda delay_s, item: later.append((delay_s, item)))
    edge = Connection()
    realiser.posted(Batch(1, (Event("ADDED", CLUSTER),), reset=True))
    realiser.connected(edge)
    realiser.received(edge, HeldFlows({}, last=True))
    realiser.received(edge, HeldGroups((), last=True))
    made = World(realiser, edge, later, reports)
    made.settle()
    return made


def test_a_silent_node_is_taken_out_and_comes_back_with_its_answer(world: World) -> None:
    cluster = world.realiser._desired.cluster
    assert cluster is not None
    first, second = cluster.nodes
    assert world.known == {1, 2}
    for _ in range(MISSED):
        assert world.ask(first) == 2
    assert world.known == {1, 2}, "three questions are not enough"
    world.ask(first)
    assert world.known == {1}
    world.ask(first, second)
    assert world.known == {1, 2}


def test_it_asks_again_and_again_and_counts_no_packet_as_a_connections(world: World) -> None:
    cluster = world.realiser._desired.cluster
    assert cluster is not None
    world.later.clear()
    world.reports.clear()
    world.ask(*cluster.nodes)
    assert world.later == [(PROBE_S, Ask())]
    assert world.reports == []
    assert world.realiser._packet_ins == 0


def test_an_edge_that_is_away_counts_nobody_as_dead(world: World) -> None:
    world.realiser.disconnected(world.edge)
    for _ in range(2 * MISSED):
        world.realiser.posted(Ask())
    assert len(world.realiser._health.alive) == 2  # type: ignore[union-attr]
