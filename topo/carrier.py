"""Whether cables carry packets yet.

When a cable gets its carrier, the kernel may take up to a second until it lets packets through (net/core/link_watch.c does
such work once a second), and a bridge does not forward to the port before. A kernel since 6.7 does it at once where
somebody asks for the carrier; others have to be waited for. A cable without a carrier (cut, or its machine is off) is
not waited for.
"""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from collections.abc import Iterable

from cluster.model import Cluster
from topo import namespaces, ovs
from topo.emulation import UnderlayNetwork
from topo.waiting import wait_until
from topo.ways_in import GATEWAY

_SIOCGIFFLAGS, _SIOCETHTOOL, _ETHTOOL_GLINK = 0x8913, 0x8946, 0x0A
_IFF_RUNNING = 0x40
_NAME_BYTES = 16
_TIMEOUT_S = 10.0
"""Ten times what the kernel takes."""


def wait(cluster: Cluster, network: UnderlayNetwork) -> None:
    """Returns when every cable of the underlay, and every node's to its switch, carries what it can carry. Raises Timeout."""
    ends = [(getattr(end.node, "place", None), end.name) for link in network.links for end in (link.intf1, link.intf2)]
    by_place: dict[str | None, list[str]] = {}
    for place, interface in ends:
        by_place.setdefault(place and place.netns, []).append(interface)
    for node in cluster.nodes:
        by_place.setdefault(None, []).append(ovs.trunk_interface(node))
        by_place.setdefault(node.name, []).append(GATEWAY)
    for netns, interfaces in by_place.items():
        if netns is None:
            _wait_here(interfaces)
        else:
            with namespaces.visit_pinned(netns):
                _wait_here(interfaces)


def _wait_here(interfaces: Iterable[str]) -> None:
    for interface in interfaces:
        wait_until(lambda interface=interface: not is_pending(interface), _TIMEOUT_S, f"the kernel to use {interface}")  # type: ignore[misc]


def is_pending(interface: str) -> bool:
    """Whether this interface, of the caller's namespace, has a carrier that the kernel does not use yet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name = interface.encode().ljust(_NAME_BYTES, b"\0")
        link = array.array("I", [_ETHTOOL_GLINK, 0])
        address, _ = link.buffer_info()
        fcntl.ioctl(any_socket, _SIOCETHTOOL, name + struct.pack("P", address).ljust(24, b"\0"))
        answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, name + bytes(24))
        (flags,) = struct.unpack_from("H", answer, _NAME_BYTES)
        return bool(link[1]) and not flags & _IFF_RUNNING
