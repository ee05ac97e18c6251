"""Pods' namespaces and interfaces, in batches.

A pod is a network namespace with `lo` and `eth0`: a /32 (/128) address, and a default route to the router that
its node's switch plays. eth0 is one end of a veth pair whose other end is a port of the switch, or a macvlan on
the node's trunk, where there are so many pods that a thread polling a port for each would do nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread

from cluster.model import OF_PORT_TRUNK, Cluster, PodInterface
from topo import emulation, namespaces, netlink, ovs
from topo.bridges import Bridges
from topo.pod_maker import PodMaker, netns_name

_BATCH = 64
"""Pods that are made and reported together: what comes next for them goes on while others are made."""


class PodNetwork:
    """Makes and removes the pods of one cluster.

    One process makes them: nearly all of its time is spent in the kernel, under one lock, where a second one would
    only wait. `on_attached` (`start`) is called, in a thread of its own, with pods that are on their switches now.
    """

    def __init__(self, cluster: Cluster, maker: PodMaker, bridges: Bridges) -> None:
        self._cluster = cluster
        self._maker = maker
        self._bridges = bridges
        self._asked: SimpleQueue[Sequence[PodInterface]] = SimpleQueue()

    def start(self, on_attached: Callable[[Sequence[PodInterface]], None]) -> None:
        """Begin to make what is asked for."""
        Thread(target=self._serve_forever, args=(on_attached,), name="pods", daemon=True).start()

    def attach(self, pods: Sequence[PodInterface]) -> None:
        """Make these pods' namespaces and put them on their nodes' switches, meanwhile. Idempotent."""
        for start in range(0, len(pods), _BATCH):
            self._asked.put(pods[start : start + _BATCH])

    def detach(self, pods: Sequence[PodInterface]) -> None:
        """Take these pods off their switches and let go of their namespaces. Idempotent."""
        veths = [self._port(pod) for pod in pods if pod.of_port != OF_PORT_TRUNK]
        if veths:
            ovs.delete_ports(veths)
            with netlink.Socket() as root:
                root.run(netlink.delete_link(port.interface) for port in veths)
        for pod in pods:
            namespaces.remove(netns_name(pod))

    def sweep(self, pods: Sequence[PodInterface]) -> None:
        """Remove what is left of pods that are not among these (an agent was killed while they ended)."""
        wanted = {netns_name(pod) for pod in pods}
        for name in namespaces.pinned() - wanted - {machine.name for machine in emulation.machines(self._cluster)}:
            namespaces.remove(name)
        kept = {self._port(pod).interface for pod in pods if pod.of_port != OF_PORT_TRUNK}
        ovs.delete_ports([port for port in ovs.pod_ports(self._cluster.nodes) if port.interface not in kept])

    def _port(self, pod: PodInterface) -> ovs.Port:
        node = self._cluster.node_by_name[pod.node]
        return ovs.Port(node.bridge, ovs.pod_interface_name(node.index, pod.number), pod.of_port)

    def _serve_forever(self, on_attached: Callable[[Sequence[PodInterface]], None]) -> None:
        while True:
            pods = self._asked.get()
            self._attach(pods)
            on_attached(pods)

    def _attach(self, pods: Sequence[PodInterface]) -> None:
        self._maker.make(pods)
        veths = [self._port(pod) for pod in pods if pod.of_port != OF_PORT_TRUNK]
        if veths:
            self._bridges.add_ports(veths)
