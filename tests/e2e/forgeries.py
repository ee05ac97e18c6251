"""The frames with which a pod tries to be somebody else, each with a source port that tells which one arrived."""

from __future__ import annotations

import itertools
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "ovs"))

from packets import UDP, Packet

from cluster.model import GATEWAY_MAC, NODE_HAIRPINS, REFUSING_ADDRESSES, VXLAN_PORT, Node, PodInterface

IPAddress = IPv4Address | IPv6Address
PORT = 7777
_BROADCAST = "ff:ff:ff:ff:ff:ff"
_NOBODY = "0a:09:09:09:09:09"
_OUTSIDE = {4: ip_address("198.51.100.7"), 6: ip_address("2001:db8:ffff::7")}
_VXLAN_HEADER = struct.pack("!BxxxI", 0x08, 1 << 8)
"""RFC 7348, section 5: the VNI is valid, and is 1."""


@dataclass
class Forgeries:
    """What `attacker` sends; `names` tells by source port what it was."""

    attacker: PodInterface
    names: dict[int, str] = field(default_factory=dict)
    frames: list[bytes] = field(default_factory=list)
    _tokens: Iterator[int] = field(default_factory=lambda: itertools.count(20000))

    def _token(self, name: str) -> int:
        token = next(self._tokens)
        self.names[token] = f"{name} ({self.attacker.name})"
        return token

    def _put(self, name: str, packet: Packet) -> None:
        self.frames.append(replace(packet, tcp_src=self._token(name)).encode())

    def honest(self, target: PodInterface) -> set[int]:
        """Packets of its own; their source ports."""
        before = set(self.names)
        for version in (4, 6):
            self._put(f"its own, IPv{version}", self._to(target, version))
        return set(self.names) - before

    def as_somebody_else(self, target: PodInterface, friend: PodInterface, node: Node) -> None:
        """`friend` is a pod of the attacker's node that may reach the target."""
        for version in (4, 6):
            own, theirs = self._to(target, version), _address(friend, version)
            also = f"IPv{version} to {target.name}"
            both = replace(own, eth_src=friend.mac, ip_src=theirs)
            self._put(f"MAC and address of {friend.name}, {also}", both)
            self._put(f"address of {friend.name}, {also}", replace(own, ip_src=theirs))
            self._put(f"MAC of {friend.name}, {also}", replace(own, eth_src=friend.mac))
            self._put(f"no MAC and address of {friend.name}, {also}", replace(both, eth_src=_NOBODY))
            for address in (*_of(version, node.gateway_addresses), *_of(version, node.addresses), _OUTSIDE[version]):
                as_node = replace(own, eth_src=node.gateway_mac, ip_src=address)
                self._put(f"the node's MAC and {address}, {also}", as_node)
                self._put(f"{address}, {also}", replace(own, ip_src=address))
            for mac in (target.mac, node.gateway_mac, node.tunnel_mac, _BROADCAST):
                self._put(f"straight to {mac} as {friend.name}, {also}", replace(both, eth_dst=mac))
                self._put(f"straight to {mac}, {also}", replace(own, eth_dst=mac))

    def wrapped(self, target: PodInterface, friend: PodInterface, node: Node, service_ip: IPAddress) -> None:
        """`target` is on `node`, `friend` on another; `service_ip` leads to `node`."""
        for outer, inner in itertools.product((4, 6), (4, 6)):
            addresses = (
                *_of(outer, node.addresses), *_of(outer, node.gateway_addresses), REFUSING_ADDRESSES[outer],
                NODE_HAIRPINS[outer], *_of(outer, [service_ip]),
            )  # fmt: skip
            for address in addresses:
                inside = replace(
                    self._to(target, inner), eth_src=_NOBODY, eth_dst=node.tunnel_mac,
                    ip_src=_address(friend, inner), tcp_src=self._token(f"IPv{inner} in VXLAN to {address}"),
                )  # fmt: skip
                outside = replace(self._to(target, outer), ip_dst=address, tcp_dst=VXLAN_PORT)
                self.frames.append(replace(outside, payload=_VXLAN_HEADER + inside.encode()).encode())

    def as_a_neighbour(self, impersonated: PodInterface, macs: tuple[str, ...]) -> None:
        """ARP answers and neighbour advertisements: the pod's addresses are said to be at the attacker's MAC."""
        for mac in (*macs, GATEWAY_MAC, _BROADCAST):
            for sender in (self.attacker.mac, impersonated.mac):
                ends = _raw(mac) + _raw(sender)
                self.frames.append(ends + _arp(self.attacker.mac, _address(impersonated, 4), mac))
                self.frames.append(ends + _advertisement(self.attacker.mac, _address(impersonated, 6)))

    def _to(self, target: PodInterface, version: int) -> Packet:
        ends = _address(self.attacker, version), _address(target, version)
        return Packet(self.attacker.mac, GATEWAY_MAC, *ends, tcp_dst=PORT, ip_proto=UDP)


def _arp(mac: str, address: IPAddress, asker: str) -> bytes:
    """RFC 826: `address` is at `mac`."""
    fixed = struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 2)
    return fixed + _raw(mac) + address.packed + _raw(asker) + address.packed


def _advertisement(mac: str, address: IPAddress) -> bytes:
    """RFC 4861, section 4.4: solicited, override, with the target's link-layer address. To all nodes."""
    to, option = ip_address("ff02::1"), b"\2\1" + _raw(mac)
    body = struct.pack("!BBHI", 136, 0, 0, 0x6000_0000) + address.packed + option
    pseudo = address.packed + to.packed + struct.pack("!II", len(body), 58)
    total = sum(struct.unpack(f"!{len(pseudo + body) // 2}H", pseudo + body))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ((total & 0xFFFF) + (total >> 16)) ^ 0xFFFF
    header = struct.pack("!HIHBB", 0x86DD, 6 << 28, len(body), 58, 255) + address.packed + to.packed
    return header + body[:2] + struct.pack("!H", checksum) + body[4:]


def _address(pod: PodInterface, version: int) -> IPAddress:
    (found,) = _of(version, pod.addresses)
    return found


def _of(version: int, addresses: tuple[IPAddress, ...] | list[IPAddress]) -> list[IPAddress]:
    return [address for address in addresses if address.version == version]


def _raw(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))
