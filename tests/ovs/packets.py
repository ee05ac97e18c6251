"""Packets as bytes, made and read by hand: Ethernet, IPv4 or IPv6, TCP or UDP. Enough to see what became of one."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address

IPAddress = IPv4Address | IPv6Address
ETH_TYPE = {4: 0x0800, 6: 0x86DD}
TCP, UDP = 6, 17
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10


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
    ip_proto: int = TCP
    seq: int = 0
    ack: int = 1
    """Of TCP; `ack` counts with the flag only."""
    payload: bytes = b""
    """Of UDP."""

    def encode(self) -> bytes:
        payload = self._transport()
        ethernet = _mac(self.eth_dst) + _mac(self.eth_src) + struct.pack("!H", ETH_TYPE[self.ip_src.version])
        if self.ip_src.version == 6:
            header = struct.pack("!IHBB", 6 << 28, len(payload), self.ip_proto, self.ttl)
            return ethernet + header + self.ip_src.packed + self.ip_dst.packed + payload
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, self.ttl, self.ip_proto, 0)
        return ethernet + _with_checksum(header + self.ip_src.packed + self.ip_dst.packed, 10) + payload

    def _transport(self) -> bytes:
        """`tcp_src` and `tcp_dst` are the ports of UDP, too."""
        if self.ip_proto == UDP:
            datagram = struct.pack("!HHH2x", self.tcp_src, self.tcp_dst, 8 + len(self.payload)) + self.payload
            return _with_checksum(datagram, 6, self._pseudo_header(len(datagram)))
        acknowledged = self.ack if self.flags & ACK else 0
        fixed = (self.tcp_src, self.tcp_dst, self.seq, acknowledged, 5 << 4, self.flags, 0xFFFF)
        segment = struct.pack("!HHIIBBH4x", *fixed)
        return _with_checksum(segment, 16, self._pseudo_header(len(segment)))

    def _pseudo_header(self, length: int) -> bytes:
        return self.ip_src.packed + self.ip_dst.packed + struct.pack("!IHH", length, 0, self.ip_proto)

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
        ttl, protocol, source, destination = wire[22], wire[23], wire[26:30], wire[30:34]
        transport = wire[34 : 34 + length]
        assert _checksum(wire[14:34]) == 0, "the IPv4 header's checksum is wrong"
    else:
        length = struct.unpack("!H", wire[18:20])[0]
        ttl, protocol, source, destination = wire[21], wire[20], wire[22:38], wire[38:54]
        transport = wire[54 : 54 + length]
    tcp_src, tcp_dst = struct.unpack("!HH", transport[:4])
    flags = transport[13] if protocol == TCP else SYN
    ends = ip_address(source), ip_address(destination)
    packet = Packet(eth_src, eth_dst, *ends, tcp_src, tcp_dst, ttl, flags, protocol)
    assert _checksum(packet._pseudo_header(length) + transport) == 0, "the transport's checksum is wrong"
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
