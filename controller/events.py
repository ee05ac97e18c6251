"""What switches say to the controller, and who listens: the framework's events without the framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from controller.flow import FlowKey


@dataclass(frozen=True, slots=True)
class HeldFlows:
    """Part of a switch's answer to what flows it holds; `last` ends it. `wires`: match and instructions of each."""

    wires: Mapping[FlowKey, bytes]
    last: bool


@dataclass(frozen=True, slots=True)
class HeldGroups:
    ids: tuple[int, ...]
    last: bool


@dataclass(frozen=True, slots=True)
class BarrierAnswer:
    xid: int


@dataclass(frozen=True, slots=True)
class Refused:
    """An OFPErrorMsg: which message, and OpenFlow's names for type and code."""

    xid: int
    error: str


@dataclass(frozen=True, slots=True)
class PacketIn:
    """A packet that a switch sent to the controller, from its Ethernet header on."""

    frame: bytes = b""


Received = HeldFlows | HeldGroups | BarrierAnswer | Refused | PacketIn


class Connection(Protocol):
    """One connection of a switch that has said its datapath id."""

    dpid: int

    def send(self, wire: bytes) -> None: ...


class Handler(Protocol):
    """What the application does on each event. Never called twice at once."""

    def connected(self, connection: Connection) -> None: ...
    def disconnected(self, connection: Connection) -> None: ...
    def received(self, connection: Connection, message: Received) -> None: ...
    def posted(self, item: object) -> None: ...
