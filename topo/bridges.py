"""The nodes' bridges, made while everything else of a cluster's start goes on: to open their ports takes the switch a
tenth of the start, in which nobody but it has to wait."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

from cluster.model import Cluster
from topo import carrier, ovs
from topo.emulation import UnderlayNetwork
from topo.packet_sockets import PacketSockets
from topo.services import OVS_SOCKET
from topo.waiting import wait_until

CONTROLLER_TIMEOUT_S = 60.0


class Bridges:
    """Makes them in a thread of its own, whose failure is the process's, and connects them to the controller once that
    listens. Idempotent. The nodes' trunks and tunnels must be there."""

    def __init__(self, cluster: Cluster, underlay: UnderlayNetwork) -> None:
        self._cluster, self._underlay = cluster, underlay
        self._sockets = PacketSockets() if ovs.is_userspace(cluster.network) else None
        self._there = Event()
        Thread(target=self._make, name="bridges", daemon=True).start()

    def wait(self) -> None:
        """Returns when the switch has all of them."""
        self._there.wait()

    def add_ports(self, ports: list[ovs.Port]) -> None:
        """Returns when the switch has them. Idempotent."""
        self.wait()
        ovs.add_ports(ports)
        if self._sockets is not None:
            self._sockets.enlarge()

    def _make(self) -> None:
        wait_until(Path(OVS_SOCKET).exists, CONTROLLER_TIMEOUT_S, "the switch's database")
        ovs.add_bridges(self._cluster)
        if self._sockets is not None:
            self._sockets.enlarge()
            self._sockets.follow_restarts()
        self._there.set()
        # What the controller tells of its switches is waited for, so the cables under them are, too.
        carrier.wait(self._cluster, self._underlay)
        ovs.connect_when_listening(self._cluster, CONTROLLER_TIMEOUT_S)
