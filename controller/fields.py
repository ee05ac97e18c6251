"""The match fields: OXM names, numbers, widths, prerequisites, and how `ovs-ofctl` writes their values.

Numbers and prerequisites: OpenFlow 1.3.5, section 7.2.3.7; NXM ones: `ovs-fields(7)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

OXM_OPENFLOW_BASIC = 0x8000
OXM_NXM_0 = 0x0000
OXM_NXM_1 = 0x0001
OXM_PACKET_REGS = 0x8001

ETH_TYPE: Mapping[int, int] = {4: 0x0800, 6: 0x86DD}
"""EtherType by IP version."""
ETH_TYPE_ARP = 0x0806
IP_PROTO: Mapping[str, int] = {"TCP": 6, "UDP": 17, "SCTP": 132, "ICMP": 1, "IPv6-ICMP": 58}
"""IP protocol number by its name in a Service, or the keyword that IANA has (assigned numbers)."""

Prerequisite = tuple[str, tuple[int, ...]]

_ANY_IP: Prerequisite = ("eth_type", tuple(ETH_TYPE.values()))
_IPV4: Prerequisite = ("eth_type", (ETH_TYPE[4],))
_IPV6: Prerequisite = ("eth_type", (ETH_TYPE[6],))


@dataclass(frozen=True, slots=True)
class Field:
    """One header field. `bits` is its width; `text` its name for ovs-ofctl; `style` how its value is written."""

    name: str
    oxm_class: int
    number: int
    bits: int
    text: str
    nxm: str = ""
    style: str = "decimal"
    prerequisites: tuple[Prerequisite, ...] = ()

    @property
    def size(self) -> int:
        """Width in bytes on the wire."""
        return self.bits // 8

    def header(self, has_mask: bool = False) -> int:
        """The 32-bit OXM header (OpenFlow 1.3.5, section 7.2.3.2)."""
        length = self.size * (2 if has_mask else 1)
        return self.oxm_class << 16 | self.number << 9 | has_mask << 8 | length

    @property
    def full_mask(self) -> int:
        return (1 << self.bits) - 1


def _basic(name: str, number: int, bits: int, text: str, style: str, *prerequisites: Prerequisite) -> Field:
    return Field(name, OXM_OPENFLOW_BASIC, number, bits, text, style=style, prerequisites=prerequisites)


def _transport(protocol: str, source: int) -> tuple[Field, Field]:
    name, needs = protocol.lower(), ("ip_proto", (IP_PROTO[protocol],))
    return (
        _basic(f"{name}_src", source, 16, f"{name}_src", "decimal", needs),
        _basic(f"{name}_dst", source + 1, 16, f"{name}_dst", "decimal", needs),
    )


_FIELDS = (
    _basic("in_port", 0, 32, "in_port", "decimal"),
    _basic("eth_dst", 3, 48, "dl_dst", "mac"),
    _basic("eth_src", 4, 48, "dl_src", "mac"),
    _basic("eth_type", 5, 16, "dl_type", "hex"),
    _basic("ip_proto", 10, 8, "nw_proto", "decimal", _ANY_IP),
    _basic("ipv4_src", 11, 32, "nw_src", "ipv4", _IPV4),
    _basic("ipv4_dst", 12, 32, "nw_dst", "ipv4", _IPV4),
    _basic("ipv6_src", 26, 128, "ipv6_src", "ipv6", _IPV6),
    _basic("ipv6_dst", 27, 128, "ipv6_dst", "ipv6", _IPV6),
    *_transport("TCP", 13),
    *_transport("UDP", 15),
    *_transport("SCTP", 17),
    Field("in_port_nxm", OXM_NXM_0, 0, 16, "in_port", "NXM_OF_IN_PORT"),
    *(Field(f"reg{n}", OXM_NXM_1, n, 32, f"reg{n}", f"NXM_NX_REG{n}", "hex") for n in range(16)),
    Field("xreg2", OXM_PACKET_REGS, 2, 64, "xreg2", "OXM_OF_PKT_REG2", "hex"),
    Field("nw_ttl", OXM_NXM_1, 29, 8, "nw_ttl", prerequisites=(_ANY_IP,)),
    Field("tcp_flags", OXM_NXM_1, 34, 16, "tcp_flags", style="hex", prerequisites=(("ip_proto", (IP_PROTO["TCP"],)),)),
    Field("conj_id", OXM_NXM_1, 37, 32, "conj_id"),
    Field("ct_state", OXM_NXM_1, 105, 32, "ct_state", style="ct_state", prerequisites=(_ANY_IP,)),
    Field("ct_mark", OXM_NXM_1, 107, 32, "ct_mark", "NXM_NX_CT_MARK", "hex", (_ANY_IP,)),
)

FIELD: Mapping[str, Field] = {field.name: field for field in _FIELDS}

CT_STATE_BITS: Mapping[str, int] = {"new": 0x01, "est": 0x02, "rel": 0x04, "rpl": 0x08, "inv": 0x10, "trk": 0x20}
"""ovs-fields(7), "CT_STATE Field"."""


def mac_text(value: int) -> str:
    return ":".join(f"{octet:02x}" for octet in value.to_bytes(6, "big"))


def value_text(style: str, value: int) -> str:
    """One value as ovs-ofctl writes it."""
    match style:
        case "mac":
            return mac_text(value)
        case "ipv4":
            return str(IPv4Address(value))
        case "ipv6":
            return str(IPv6Address(value))
        case "hex":
            return f"{value:#x}"
        case _:
            return str(value)


def ct_state_text(value: int, mask: int) -> str:
    return "".join(f"{'+' if value & bit else '-'}{name}" for name, bit in CT_STATE_BITS.items() if mask & bit)
