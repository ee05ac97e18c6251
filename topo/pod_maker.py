"""A process that makes pods' namespaces and interfaces for the agent.

Making a pod is twenty system calls. A thread of the agent would wait for the interpreter after each of them, while the
agent's others are busy with the pods that are there already: half of the time of a large start.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from multiprocessing.connection import Connection, Pipe
from typing import NoReturn

from cluster.model import MAX_PODS_PER_NODE, OF_PORT_TRUNK, Cluster, Node, PodInterface
from topo import forked, guard, linux, namespaces, netlink, ovs
from topo.nodes import router_neighbours
from topo.places import pod_place
from topo.ways_in import GATEWAY, default_routes

INTERFACE = "eth0"
_FIRST_MACVLAN_INDEX = 1000
"""Interface indexes of macvlans, by the pod's number: free in the pod's and in the node's namespace."""


def netns_name(pod: PodInterface) -> str:
    return pod_place(pod.namespace, pod.name, pod.uid, pod.name).netns


class PodMaker:
    """The process, from the agent's side. To be made before the agent has threads; it ends with the agent."""

    def __init__(self, cluster: Cluster) -> None:
        self._requests, theirs = Pipe()
        if os.fork() == 0:
            _be_maker(cluster, theirs)
        theirs.close()

    def make(self, pods: Sequence[PodInterface]) -> None:
        """Returns when these pods' namespaces and interfaces are there. Idempotent. Raises EOFError when the process
        has died; what it said is in the agent's log."""
        self._requests.send(pods)
        self._requests.recv()


def _be_maker(cluster: Cluster, requests: Connection) -> NoReturn:
    try:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        forked.become("mininetes pod maker", keep=[requests.fileno()])
        # The first request comes when the nodes are there, and their trunks with them.
        pods = requests.recv()
        with _Trunks(cluster.nodes) as trunks:
            while True:
                _make(pods, trunks, cluster.pod_mtu_bytes)
                requests.send(None)
                pods = requests.recv()
    except EOFError:
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(1)


def _make(pods: Sequence[PodInterface], trunks: _Trunks, mtu: int) -> None:
    """All namespaces, then all macvlans, then what is in them: for each macvlan the kernel tells everybody of a change
    of the trunk, and the switch, which wakes up for that, so hears of many at a time."""
    with netlink.Socket() as root, namespaces.all_made(map(netns_name, pods)) as made:
        bare = [
            (pod, fd)
            for pod, (fd, is_new) in zip(pods, made, strict=True)
            if is_new or namespaces.interface_index(INTERFACE, fd) is None
        ]
        trunks.add_macvlans([(pod, fd) for pod, fd in bare if _is_on_trunk(pod)], mtu)
        for pod, fd in bare:
            if not _is_on_trunk(pod):
                _add_veth(pod, fd, root, trunks.port_name(pod), mtu)
        for pod, (fd, _) in zip(pods, made, strict=True):
            linux.setns(fd, linux.CLONE_NEWNET)
            if _is_on_trunk(pod):
                guard.hold_to_mac(INTERFACE, pod.mac)
            with netlink.Socket() as own:
                own.run(_configuration(pod))


def _is_on_trunk(pod: PodInterface) -> bool:
    return pod.of_port == OF_PORT_TRUNK


def _add_veth(pod: PodInterface, fd: int, root: netlink.Socket, name: str, mtu: int) -> None:
    root.run([netlink.new_veth(name, INTERFACE, peer_mac=pod.mac, mtu=mtu, peer_netns_fd=fd)])
    root.run([netlink.set_link(0, name=name, up=True)])


def _configuration(pod: PodInterface) -> Iterator[netlink.Message]:
    index = _macvlan_index(pod) if _is_on_trunk(pod) else socket.if_nametoindex(INTERFACE)
    up, routes = _same_everywhere(index, tuple(address.version for address in pod.addresses))
    yield from up
    for address in pod.addresses:
        yield netlink.add_address(index, address, address.max_prefixlen)
    yield from routes


@lru_cache(2 * MAX_PODS_PER_NODE)
def _same_everywhere(
    index: int, versions: tuple[int, ...]
) -> tuple[Sequence[netlink.Message], Sequence[netlink.Message]]:
    """What comes before the addresses, and what after them: the same for the pods of that number of all nodes."""
    up = (
        netlink.set_link(namespaces.LOOPBACK_INDEX, up=True), netlink.no_link_local(index),
        netlink.set_link(index, up=True),
    )  # fmt: skip
    return up, (*router_neighbours(index, versions), *default_routes(index, versions))


def _macvlan_index(pod: PodInterface) -> int:
    return _FIRST_MACVLAN_INDEX + pod.number


class _Trunks:
    """Netlink sockets in the nodes' namespaces, to make macvlans on their trunks."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._sockets: dict[str, tuple[netlink.Socket, int]] = {}
        self._indexes = {node.name: node.index for node in nodes}
        for name in self._indexes:
            with namespaces.visit_pinned(name):
                self._sockets[name] = netlink.Socket(), socket.if_nametoindex(GATEWAY)

    def __enter__(self) -> _Trunks:
        return self

    def __exit__(self, *_exception: object) -> None:
        for own, _ in self._sockets.values():
            own.close()

    def port_name(self, pod: PodInterface) -> str:
        return ovs.pod_interface_name(self._indexes[pod.node], pod.number)

    def add_macvlans(self, pods: Iterable[tuple[PodInterface, int]], mtu: int) -> None:
        """With the descriptors of their namespaces."""
        by_node: dict[str, list[netlink.Message]] = {}
        for pod, fd in pods:
            _, trunk = self._sockets[pod.node]
            by_node.setdefault(pod.node, []).append(
                netlink.new_macvlan(INTERFACE, trunk, index=_macvlan_index(pod), mac=pod.mac, mtu=mtu, netns_fd=fd)
            )
        for node, messages in by_node.items():
            self._sockets[node][0].run(messages)
