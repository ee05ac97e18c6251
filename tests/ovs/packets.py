"""Packets as bytes, made and read by hand: Ethernet, IPv4 or IPv6, TCP. Enough to see what became of one."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address

IPAddress = IPv4Address | IPv6Address
ETH_TYPE = {4: 0x0800, 6: 0x86DD}
TCP = 6
SYN, ACK = 0x02, 0x10


@dataclass(frozen=True)
class Packet:
    eth_src: str
    eth_dst: str
    ip_src: IPAddress
    ip_dst: IPAddress
    tcp_src: int = 40000
    tcp_dst: int = 9
    ttl: int = 64
    flags: int = SYN

    def encode(self) -> bytes:
        acknowledged = 1 if self.flags & ACK else 0
        fixed = (self.tcp_src, self.tcp_dst, 0, acknowledged, 5 << 4, self.flags, 0xFFFF)
        payload = struct.pack("!HHIIBBH4x", *fixed)
        payload = _with_checksum(payload, 16, self._pseudo_header(len(payload)))
        ethernet = _mac(self.eth_dst) + _mac(self.eth_src) + struct.pack("!H", ETH_TYPE[self.ip_src.version])
        if self.ip_src.version == 6:
            header = struct.pack("!IHBB", 6 << 28, len(payload), TCP, self.ttl)
            return ethernet + header + self.ip_src.packed + self.ip_dst.packed + payload
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, self.ttl, TCP, 0)
        return ethernet + _with_checksum(header + self.ip_src.packed + self.ip_dst.packed, 10) + payload

    def _pseudo_header(self, length: int) -> bytes:
        return self.ip_src.packed + self.ip_dst.packed + struct.pack("!IHH", length, 0, TCP)

    def reply(self) -> Packet:
        """What its receiver answers, sent to the switch."""
        return replace(
            self,
            eth_src=self.eth_dst,
            eth_dst=self.eth_src,
            ip_src=self.ip_dst,
            ip_dst=self.ip_src,
            tcp_src=self.tcp_dst,
            tcp_dst=self.tcp_src,
            ttl=64,
            flags=SYN | ACK,
        )


def decode(wire: bytes) -> Packet:
    eth_dst, eth_src = wire[0:6].hex(":"), wire[6:12].hex(":")
    if wire[12:14] == b"\x08\x00":
        length = struct.unpack("!H", wire[16:18])[0] - 20
        ttl, source, destination, transport = wire[22], wire[26:30], wire[30:34], wire[34 : 34 + length]
        assert _checksum(wire[14:34]) == 0, "the IPv4 header's checksum is wrong"
    else:
        length = struct.unpack("!H", wire[18:20])[0]
        ttl, source, destination, transport = wire[21], wire[22:38], wire[38:54], wire[54 : 54 + length]
    tcp_src, tcp_dst = struct.unpack("!HH", transport[:4])
    packet = Packet(eth_src, eth_dst, ip_address(source), ip_address(destination), tcp_src, tcp_dst, ttl, transport[13])
    assert _checksum(packet._pseudo_header(length) + transport) == 0, "the TCP checksum is wrong"
    return packet


def _mac(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _checksum(content: bytes) -> int:
    padded = content + bytes(len(content) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _with_checksum(header: bytes, offset: int, pseudo_header: bytes = b"") -> bytes:
    checksum = _checksum(pseudo_header + header)
    return header[:offset] + struct.pack("!H", checksum) + header[offset + 2 :]
