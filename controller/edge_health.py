"""Which nodes are there: each is asked for its MAC address, several times a second, by the edge's switch (ARP, or IPv6
neighbour discovery where there is no IPv4), and answers with its kernel alone. No process of a node is asked, so a
testbed whose processes are busy loses no node.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from cluster.model import Cluster, Edge, IPAddress, Node
from controller.fields import ETH_TYPE, ETH_TYPE_ARP, IP_PROTO

PROBE_S = 0.15
MISSED = 3
"""So many questions without an answer: the node is dead, 0.6 s after its last sign of life at the latest."""

_ARP_REQUEST = 1
_NEIGHBOUR_SOLICITATION, _SOURCE_LINK_ADDRESS = 135, 1
_HOP_LIMIT = 255


class Health:
    """`alive` by name. At first all are."""

    def __init__(self, cluster: Cluster, edge: Edge) -> None:
        self._edge = edge
        self._nodes = {bytes.fromhex(node.uplink_mac.replace(":", "")): node for node in cluster.nodes}
        self._unanswered = dict.fromkeys((node.name for node in cluster.nodes), 0)

    @property
    def alive(self) -> frozenset[str]:
        return frozenset(name for name, missed in self._unanswered.items() if missed <= MISSED)

    def questions(self) -> Iterator[bytes]:
        """A frame for each node, to be sent now."""
        for mac, node in self._nodes.items():
            self._unanswered[node.name] = min(self._unanswered[node.name] + 1, MISSED + 1)
            yield _question(self._edge, mac, node)

    def answered(self, frame: bytes) -> None:
        """Any frame of a node to the edge is an answer."""
        node = self._nodes.get(frame[6:12])
        if node is not None:
            self._unanswered[node.name] = 0


def _question(edge: Edge, mac: bytes, node: Node) -> bytes:
    here = bytes.fromhex(edge.mac.replace(":", ""))
    asked = node.addresses[0]
    source = next(address for address in edge.addresses if address.version == asked.version)
    if asked.version == 4:
        fixed = struct.pack("!HHBBH", 1, ETH_TYPE[4], 6, 4, _ARP_REQUEST)
        content = fixed + here + source.packed + bytes(6) + asked.packed
        return mac + here + struct.pack("!H", ETH_TYPE_ARP) + content
    option = struct.pack("!BB", _SOURCE_LINK_ADDRESS, 1) + here
    body = struct.pack("!BBHI", _NEIGHBOUR_SOLICITATION, 0, 0, 0) + asked.packed + option
    body = body[:2] + struct.pack("!H", _checksum(source, asked, body)) + body[4:]
    header = struct.pack("!IHBB", 6 << 28, len(body), IP_PROTO["IPv6-ICMP"], _HOP_LIMIT)
    return mac + here + struct.pack("!H", ETH_TYPE[6]) + header + source.packed + asked.packed + body


def _checksum(source: IPAddress, to: IPAddress, body: bytes) -> int:
    """RFC 8200, section 8.1."""
    covered = source.packed + to.packed + struct.pack("!II", len(body), IP_PROTO["IPv6-ICMP"]) + body
    total = sum(struct.unpack(f"!{len(covered) // 2}H", covered))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(total ^ 0xFFFF)
