"""What a packet must be: one function per field, named as OXM names it. A match is a tuple of what they return."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from cluster.model import IPAddress, IPNetwork
from controller.fields import CT_STATE_BITS, ETH_TYPE, FIELD, IP_PROTO, ct_state_text, value_text
from controller.pipeline import Bits


@dataclass(frozen=True, slots=True)
class MatchField:
    """`field` (an OXM name) equals `value` under `mask` (None = all bits). Tables know it as `declared_as`."""

    field: str
    value: int
    mask: int | None = None
    declared_as: str = ""

    @property
    def declared_name(self) -> str:
        return self.declared_as or self.field

    def encode(self) -> bytes:
        """The OXM TLV (OpenFlow 1.3.5, section 7.2.3.2)."""
        field = FIELD[self.field]
        value = self.value.to_bytes(field.size, "big")
        mask = b"" if self.mask is None else self.mask.to_bytes(field.size, "big")
        return field.header(self.mask is not None).to_bytes(4, "big") + value + mask

    def __str__(self) -> str:
        field = FIELD[self.field]
        if self.field == "eth_type" and self.value in _ETH_TYPE_WORDS:
            return _ETH_TYPE_WORDS[self.value]
        if field.style == "ct_state":
            return f"{field.text}={ct_state_text(self.value, self.mask or 0)}"
        mask = "" if self.mask is None else f"/{self._mask_text()}"
        return f"{field.text}={value_text(field.style, self.value)}{mask}"


    def _mask_text(self) -> str:
        """As a prefix length where it is one of an address."""
        field, mask = FIELD[self.field], self.mask or 0
        inverse = mask ^ field.full_mask
        is_prefix = field.style in ("ipv4", "ipv6") and inverse & (inverse + 1) == 0
        return str(mask.bit_count()) if is_prefix else value_text(field.style, mask)


Match = tuple[MatchField, ...]
_ETH_TYPE_WORDS = {ETH_TYPE[4]: "ip", ETH_TYPE[6]: "ipv6"}


def merged(match: Match) -> Match:
    """The match with the Bits of one register made one field, in a canonical order (prerequisites first).

    Raises ValueError when a field is given twice.
    """
    by_field: dict[str, MatchField] = {}
    for item in match:
        earlier = by_field.get(item.field)
        if earlier is None:
            by_field[item.field] = item
            continue
        if earlier.mask is None or item.mask is None or earlier.mask & item.mask:
            raise ValueError(f"{item.declared_name} is matched twice")
        by_field[item.field] = MatchField(item.field, earlier.value | item.value, earlier.mask | item.mask)
    return tuple(by_field[name] for name in FIELD if name in by_field)


def in_port(of_port: int) -> MatchField:
    return MatchField("in_port", of_port)


def _mac_value(mac: str) -> int:
    return int(mac.replace(":", ""), 16)


def eth_src(mac: str) -> MatchField:
    return MatchField("eth_src", _mac_value(mac))


def eth_dst(mac: str) -> MatchField:
    return MatchField("eth_dst", _mac_value(mac))


def eth_type(ip_version: int) -> MatchField:
    return MatchField("eth_type", ETH_TYPE[ip_version])


def ip_proto(protocol: str) -> MatchField:
    return MatchField("ip_proto", IP_PROTO[protocol])


def _ip(direction: str, where: IPAddress | IPNetwork) -> MatchField:
    name = f"ipv{where.version}_{direction}"
    if isinstance(where, IPv4Address | IPv6Address):
        return MatchField(name, int(where))
    whole = where.prefixlen == where.max_prefixlen
    return MatchField(name, int(where.network_address), None if whole else int(where.netmask))


def ip_src(where: IPAddress | IPNetwork) -> MatchField:
    """OXM ipv4_src or ipv6_src."""
    return _ip("src", where)


def ip_dst(where: IPAddress | IPNetwork) -> MatchField:
    """OXM ipv4_dst or ipv6_dst."""
    return _ip("dst", where)


def transport_dst(protocol: str, port: int) -> MatchField:
    """OXM tcp_dst, udp_dst or sctp_dst."""
    return MatchField(f"{protocol.lower()}_dst", port)


def masked_transport_dst(protocol: str, port: int, mask: int) -> MatchField:
    """The ports that equal `port` under `mask`."""
    return MatchField(f"{protocol.lower()}_dst", port, None if mask == 0xFFFF else mask)


def conj_id(number: int) -> MatchField:
    """All dimensions of this conjunction match (NXM_NX_CONJ_ID)."""
    return MatchField("conj_id", number)


def ip_ttl(ttl: int) -> MatchField:
    """Time to live, or hop limit (NXM_NX_IP_TTL)."""
    return MatchField("nw_ttl", ttl)


def tcp_begins() -> MatchField:
    """The first packet of a TCP connection: SYN, and not ACK (NXM_NX_TCP_FLAGS)."""
    return MatchField("tcp_flags", 0x02, 0x12)


def bits(which: Bits, value: int) -> MatchField:
    """Bits of a register or of the connection's mark. Raises ValueError for a value that they cannot have."""
    check_value(which, value)
    whole = which.width == FIELD[which.field].bits
    return MatchField(which.field, value << which.low, None if whole else which.mask, which.name)


def check_value(which: Bits, value: int) -> None:
    if value >> which.width or (which.values and value not in which.values):
        raise ValueError(f"{which.name}: {value} is none of its values")


def ct_state(flags: str) -> MatchField:
    """Connection state as ovs-ofctl writes it: "+trk-new". Raises KeyError for an unknown flag."""
    value = mask = 0
    for sign, name in re.findall(r"([+-])([a-z]+)", flags):
        mask |= CT_STATE_BITS[name]
        value |= CT_STATE_BITS[name] if sign == "+" else 0
    return MatchField("ct_state", value, mask)
