"""OpenFlow 1.3 statistics -> what a switch holds: names of flows and groups, and where connections are translated to.

Everything else is skipped by its length. Layouts: OpenFlow 1.3.5, sections 7.2.3 (match), 7.2.4 (instructions), 7.2.5
(actions) and 7.3.5 (multipart); `NXAST_CT`, `NXAST_NAT`: as `controller/actions.py` writes them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import ip_address

from controller.actions import (
    NX_NAT_F,
    NX_NAT_RANGE_MIN,
    NX_NAT_RANGE_PROTO_MIN,
    NX_VENDOR_ID,
    NXAST_CT,
    NXAST_NAT,
    OFPAT_EXPERIMENTER,
)
from controller.fields import FIELD, IP_PROTO
from controller.flow import OFPIT_APPLY_ACTIONS, FlowKey, Translation

_FLOW_STATS = struct.Struct("!HB21xQ16x")
_CT_SIZE = 24
_NAT = struct.Struct("!HHIH2xHH")
_UDP = struct.pack("!I", FIELD["ip_proto"].header()) + bytes([IP_PROTO["UDP"]])
_TRANSLATES = struct.pack("!IH", NX_VENDOR_ID, NXAST_NAT)


def flows(body: bytes) -> Iterator[tuple[FlowKey, bytes]]:
    """Of each entry of an OFPMP_FLOW reply's body: table and cookie, and match and instructions as `Flow.wire` has them."""
    offset = 0
    while offset < len(body):
        length, table_id, cookie = _FLOW_STATS.unpack_from(body, offset)
        yield (table_id, cookie), body[offset + _FLOW_STATS.size : offset + length]
        offset += length


def group_ids(body: bytes) -> Iterator[int]:
    """The id of each entry of an OFPMP_GROUP reply's body."""
    offset = 0
    while offset < len(body):
        length, group_id = struct.unpack_from("!H2xI", body, offset)
        yield group_id
        offset += length


def udp_translation(wire: bytes) -> Translation | None:
    """Where a flow, as `flows` yields it, translates UDP connections to, from whatever Service."""
    if _TRANSLATES not in wire:
        return None
    (match_length,) = struct.unpack_from("!2xH", wire)
    if _UDP not in wire[:match_length]:
        return None
    for kind, instruction in _parts(wire[_padded(match_length) :]):
        if kind != OFPIT_APPLY_ACTIONS:
            continue
        for action in _experimenter(instruction[8:], NXAST_CT):
            for nat in _experimenter(action[_CT_SIZE:], NXAST_NAT):
                return _destination(nat)
    return None


def _destination(nat: bytes) -> Translation | None:
    *_, flags, present = _NAT.unpack_from(nat)
    if flags != NX_NAT_F["dst"] or not present & NX_NAT_RANGE_PROTO_MIN:
        return None
    size = 4 if present & NX_NAT_RANGE_MIN[4] else 16
    address, port = nat[_NAT.size : _NAT.size + size], nat[_NAT.size + size : _NAT.size + size + 2]
    return Translation("UDP", None, None, ip_address(address), int.from_bytes(port, "big"))


def _parts(wire: bytes) -> Iterator[tuple[int, bytes]]:
    """Instructions or actions, one after the other: type, and all of it."""
    offset = 0
    while offset + 4 <= len(wire):
        kind, length = struct.unpack_from("!HH", wire, offset)
        yield kind, wire[offset : offset + length]
        offset += length


def _experimenter(wire: bytes, subtype: int) -> Iterator[bytes]:
    """The Nicira actions of one subtype."""
    for kind, action in _parts(wire):
        if kind == OFPAT_EXPERIMENTER and struct.unpack_from("!4xIH", action) == (NX_VENDOR_ID, subtype):
            yield action


def _padded(length: int) -> int:
    return (length + 7) // 8 * 8
