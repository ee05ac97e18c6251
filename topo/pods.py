"""Pods' namespaces and interfaces, in batches.

A pod is a network namespace with `lo` and `eth0`: a /32 (/128) address, and a default route to the router that
its node's switch plays. eth0 is one end of a veth pair whose other end is a port of the switch, or a macvlan on
the node's trunk, where there are so many pods that a thread polling a port for each would do nothing else.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import SimpleQueue
from threading import Thread

from cluster.model import OF_PORT_TRUNK, Cluster, Node, PodInterface
from topo import emulation, namespaces, netlink, ovs
from topo.bridges import Bridges
from topo.nodes import GATEWAY, default_routes, router_neighbours
from topo.places import pod_place

INTERFACE = "eth0"
_BATCH = 64
"""Pods that are made and reported together: what comes next for them goes on while others are made."""
_FIRST_MACVLAN_INDEX = 1000
"""Interface indexes of macvlans, by the pod's number: free in the pod's and in the node's namespace."""


def netns_name(pod: PodInterface) -> str:
    return pod_place(pod.namespace, pod.name, pod.uid, pod.name).netns


class PodNetwork:
    """Makes and removes the pods of one cluster.

    One thread makes them: nearly all of its time is spent in the kernel, under one lock, where a second one would
    only wait. `on_attached` is called in that thread with pods that are on their switches now.
    """

    def __init__(
        self, cluster: Cluster, bridges: Bridges, on_attached: Callable[[Sequence[PodInterface]], None]
    ) -> None:
        self._cluster = cluster
        self._bridges = bridges
        self._on_attached = on_attached
        self._asked: SimpleQueue[Sequence[PodInterface]] = SimpleQueue()
        Thread(target=self._serve_forever, name="pods", daemon=True).start()

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

    def _serve_forever(self) -> None:
        """In its own thread, whose network namespace is its own to change."""
        with _Trunks(self._cluster.nodes) as trunks:
            while True:
                pods = self._asked.get()
                self._make(pods, trunks)
                self._on_attached(pods)

    def _make(self, pods: Sequence[PodInterface], trunks: _Trunks) -> None:
        by_name = {netns_name(pod): pod for pod in pods}
        with netlink.Socket() as root, namespaces.made(by_name) as each:
            for name, fd in each:
                pod = by_name[name]
                if namespaces.interface_index(INTERFACE, None) is None:
                    self._create_interface(pod, fd, root, trunks)
                with netlink.Socket() as own:
                    own.run(_configuration(pod))
        veths = [self._port(pod) for pod in pods if pod.of_port != OF_PORT_TRUNK]
        if veths:
            self._bridges.add_ports(veths)

    def _create_interface(self, pod: PodInterface, fd: int, root: netlink.Socket, trunks: _Trunks) -> None:
        mtu = self._cluster.pod_mtu_bytes
        if pod.of_port == OF_PORT_TRUNK:
            trunks.add_macvlan(pod, fd, mtu)
            return
        name = self._port(pod).interface
        root.run([netlink.new_veth(name, INTERFACE, peer_mac=pod.mac, mtu=mtu, peer_netns_fd=fd)])
        root.run([netlink.set_link(0, name=name, up=True)])


def _configuration(pod: PodInterface) -> Iterator[netlink.Message]:
    index = socket.if_nametoindex(INTERFACE)
    yield netlink.set_link(namespaces.LOOPBACK_INDEX, up=True)
    yield netlink.no_link_local(index)
    yield netlink.set_link(index, up=True)
    versions = [address.version for address in pod.addresses]
    for address in pod.addresses:
        yield netlink.add_address(index, address, address.max_prefixlen)
    yield from router_neighbours(index, versions)
    yield from default_routes(index, versions)


class _Trunks:
    """Netlink sockets in the nodes' namespaces, to make macvlans on their trunks."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._sockets: dict[str, tuple[netlink.Socket, int]] = {}
        for node in nodes:
            with namespaces.visit_pinned(node.name):
                self._sockets[node.name] = netlink.Socket(), socket.if_nametoindex(GATEWAY)

    def __enter__(self) -> _Trunks:
        return self

    def __exit__(self, *_exception: object) -> None:
        for own, _ in self._sockets.values():
            own.close()

    def add_macvlan(self, pod: PodInterface, fd: int, mtu: int) -> None:
        own, trunk = self._sockets[pod.node]
        index = _FIRST_MACVLAN_INDEX + pod.number
        own.run([netlink.new_macvlan(INTERFACE, trunk, index=index, mac=pod.mac, mtu=mtu, netns_fd=fd)])
