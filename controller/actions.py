"""What happens to a packet. Each action knows its OpenFlow bytes and how `ovs-ofctl` writes it.

Layouts: OpenFlow 1.3.5, section 7.2.4; Nicira extensions (`NXAST_*`): `ovs-actions(7)`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from cluster.model import IPAddress
from controller.fields import FIELD, value_text
from controller.match import MatchField, check_value
from controller.pipeline import TABLE_ID, Bits

OFPAT_OUTPUT, OFPAT_GROUP, OFPAT_DEC_NW_TTL, OFPAT_SET_FIELD, OFPAT_EXPERIMENTER = 0, 22, 24, 25, 0xFFFF
OFPCML_NO_BUFFER = 0xFFFF
OFPP_NONE = 0xFFFF
OFPP_CONTROLLER = 0xFFFFFFFD
OFPP_IN_PORT = 0xFFF8
NX_VENDOR_ID = 0x00002320
NXAST_REG_LOAD, NXAST_MULTIPATH, NXAST_RESUBMIT_TABLE = 7, 10, 14
NXAST_OUTPUT_REG, NXAST_LEARN, NXAST_CONJUNCTION, NXAST_CT, NXAST_NAT = 15, 16, 34, 35, 36
NX_CT_F_COMMIT = 1
NX_CT_RECIRC_NONE = 0xFF
NX_NAT_F = {"src": 1, "dst": 2}
NX_NAT_RANGE_MIN = {4: 1, 6: 4}
NX_NAT_RANGE_PROTO_MIN, NX_NAT_RANGE_PROTO_MAX = 16, 32


def _padded(body: bytes) -> bytes:
    return body + bytes(-len(body) % 8)


def _reg_load(nxm_header: int, low: int, width: int, value: int) -> bytes:
    ofs_nbits = low << 6 | width - 1
    return struct.pack(
        "!HHIHHIQ", OFPAT_EXPERIMENTER, 24, NX_VENDOR_ID, NXAST_REG_LOAD, ofs_nbits, nxm_header, value
    )


@dataclass(frozen=True, slots=True)
class Load:
    """Write a value into bits of a register or, inside Conntrack, of the connection's mark."""

    bits: Bits
    value: int

    def __post_init__(self) -> None:
        check_value(self.bits, self.value)

    @property
    def writes(self) -> str:
        return self.bits.name

    def encode(self) -> bytes:
        return _reg_load(FIELD[self.bits.field].header(), self.bits.low, self.bits.width, self.value)

    def __str__(self) -> str:
        return f"load:{self.value:#x}->{bits_text(self.bits)}"


@dataclass(frozen=True, slots=True)
class ClearInPort:
    """Forget the ingress port: a switch never sends a packet back to it otherwise, and macvlan pods share one."""

    writes = "in_port"

    def encode(self) -> bytes:
        field = FIELD["in_port_nxm"]
        return _reg_load(field.header(), 0, field.bits, OFPP_NONE)

    def __str__(self) -> str:
        return f"load:{OFPP_NONE:#x}->{FIELD['in_port_nxm'].nxm}[]"


@dataclass(frozen=True, slots=True)
class SetField:
    """Write a header field, given as what it is to be (`SetField(eth_dst(mac))`)."""

    to: MatchField

    @property
    def writes(self) -> str:
        return self.to.field

    def encode(self) -> bytes:
        oxm = self.to.encode()
        length = 4 + len(oxm) + -(4 + len(oxm)) % 8
        return _padded(struct.pack("!HH", OFPAT_SET_FIELD, length) + oxm)

    def __str__(self) -> str:
        return f"set_field:{value_text(FIELD[self.to.field].style, self.to.value)}->{self.to.field}"


@dataclass(frozen=True, slots=True)
class DecTTL:
    writes = "nw_ttl"

    def encode(self) -> bytes:
        return struct.pack("!HH4x", OFPAT_DEC_NW_TTL, 8)

    def __str__(self) -> str:
        return "dec_ttl"


@dataclass(frozen=True, slots=True)
class Output:
    of_port: int
    writes = None

    def encode(self) -> bytes:
        return struct.pack("!HHIH6x", OFPAT_OUTPUT, 16, self.of_port, OFPCML_NO_BUFFER)

    def __str__(self) -> str:
        return f"output:{self.of_port}"


@dataclass(frozen=True, slots=True)
class ToController:
    writes = None

    def encode(self) -> bytes:
        return struct.pack("!HHIH6x", OFPAT_OUTPUT, 16, OFPP_CONTROLLER, OFPCML_NO_BUFFER)

    def __str__(self) -> str:
        return "CONTROLLER:65535"


@dataclass(frozen=True, slots=True)
class OutputToRegister:
    """Output to the port that the register names."""

    bits: Bits
    writes = None

    def encode(self) -> bytes:
        ofs_nbits = self.bits.low << 6 | self.bits.width - 1
        source = FIELD[self.bits.field].header()
        return struct.pack(
            "!HHIHHIH6x",
            *(OFPAT_EXPERIMENTER, 24, NX_VENDOR_ID, NXAST_OUTPUT_REG, ofs_nbits, source, OFPCML_NO_BUFFER),
        )

    def __str__(self) -> str:
        return f"output:{bits_text(self.bits)}"


@dataclass(frozen=True, slots=True)
class ToGroup:
    group_id: int
    writes = None

    def encode(self) -> bytes:
        return struct.pack("!HHI", OFPAT_GROUP, 8, self.group_id)

    def __str__(self) -> str:
        return f"group:{self.group_id}"


@dataclass(frozen=True, slots=True)
class Goto:
    """Go on in a later table. Not an action on the wire but an instruction: always the last."""

    table: str
    writes = None

    def encode(self) -> bytes:
        return b""

    def __str__(self) -> str:
        return f"goto_table:{TABLE_ID[self.table]}"


@dataclass(frozen=True, slots=True)
class Resubmit:
    """Look in a later table, do what its flow says, and go on here: with nothing done where no flow matches."""

    table: str
    writes = None

    def encode(self) -> bytes:
        fixed = (OFPAT_EXPERIMENTER, 16, NX_VENDOR_ID, NXAST_RESUBMIT_TABLE, OFPP_IN_PORT, TABLE_ID[self.table])
        return struct.pack("!HHIHHB3x", *fixed)

    def __str__(self) -> str:
        return f"resubmit(,{TABLE_ID[self.table]})"


NX_HASH_FIELDS = {"symmetric_l3l4+udp": 3, "nw_src": 4}
NX_MP_ALG_MODULO_N = 0


@dataclass(frozen=True, slots=True)
class Multipath:
    """Load a number from 0 to `links` - 1 into bits, from a hash of addresses, protocol and ports, or of who sends."""

    bits: Bits
    links: int
    basis: int = 0
    fields: Literal["symmetric_l3l4+udp", "nw_src"] = "symmetric_l3l4+udp"

    @property
    def writes(self) -> str:
        return self.bits.name

    def encode(self) -> bytes:
        ofs_nbits = self.bits.low << 6 | self.bits.width - 1
        return struct.pack(
            "!HHIHHH2xHHI2xHI",
            *(OFPAT_EXPERIMENTER, 32, NX_VENDOR_ID, NXAST_MULTIPATH),
            *(NX_HASH_FIELDS[self.fields], self.basis, NX_MP_ALG_MODULO_N, self.links - 1, 0),
            *(ofs_nbits, FIELD[self.bits.field].header()),
        )

    def __str__(self) -> str:
        return f"multipath({self.fields},{self.basis},modulo_n,{self.links},0,{bits_text(self.bits)})"


@dataclass(frozen=True, slots=True)
class Nat:
    """Address translation of a connection; without a direction: as the connection was translated before."""

    direction: Literal["src", "dst", "as-before"] = "as-before"
    address: IPAddress | None = None
    port: int | None = None
    last_port: int | None = None
    """With it, any port from `port` to this one."""

    def encode(self) -> bytes:
        flags = NX_NAT_F.get(self.direction, 0)
        present, ranges = 0, b""
        if self.address is not None:
            present, ranges = NX_NAT_RANGE_MIN[self.address.version], self.address.packed
        if self.port is not None:
            present |= NX_NAT_RANGE_PROTO_MIN
            ranges += struct.pack("!H", self.port)
        if self.last_port is not None:
            present |= NX_NAT_RANGE_PROTO_MAX
            ranges += struct.pack("!H", self.last_port)
        ranges = _padded(ranges)
        header = (OFPAT_EXPERIMENTER, 16 + len(ranges), NX_VENDOR_ID, NXAST_NAT, flags, present)
        return struct.pack("!HHIH2xHH", *header) + ranges

    def __str__(self) -> str:
        if self.address is None:
            return "nat"
        bracketed = f"[{self.address}]" if self.address.version == 6 and self.port is not None else str(self.address)
        ports = "-".join(str(port) for port in (self.port, self.last_port) if port is not None)
        return f"nat({self.direction}={bracketed}{ports and f':{ports}'})"


@dataclass(frozen=True, slots=True)
class Conntrack:
    """Look the packet up in (or, with commit, write it into) the connection table; go on in `table`, tracked.

    With table None: write it down, no more, and do what follows.
    """

    zone: Bits
    table: str | None
    commit: bool = False
    nat: Nat | None = None
    mark: Load | None = None

    @property
    def writes(self) -> str | None:
        return "nat" if self.nat else None

    def encode(self) -> bytes:
        inner = b"".join(part.encode() for part in (self.nat, self.mark) if part)
        ofs_nbits = self.zone.low << 6 | self.zone.width - 1
        flags = NX_CT_F_COMMIT if self.commit else 0
        return (
            struct.pack(
                "!HHIHHIHB3xH",
                *(OFPAT_EXPERIMENTER, 24 + len(inner), NX_VENDOR_ID, NXAST_CT, flags),
                *(FIELD[self.zone.field].header(), ofs_nbits),
                *(NX_CT_RECIRC_NONE if self.table is None else TABLE_ID[self.table], 0),
            )
            + inner
        )

    def __str__(self) -> str:
        parts = ["commit"] if self.commit else []
        parts += [] if self.table is None else [f"table={TABLE_ID[self.table]}"]
        parts += [f"zone={bits_text(self.zone)}"]
        parts += [str(self.nat)] if self.nat else []
        parts += [f"exec({self.mark})"] if self.mark else []
        return f"ct({','.join(parts)})"


@dataclass(frozen=True, slots=True)
class Conjunction:
    """What matches here is of dimension `dimension` (1 … `dimensions`) of conjunction `number`.

    A packet that has all of its dimensions matches as conj_id (ovs-fields(7), "CONJUNCTIVE MATCH FIELDS").
    """

    number: int
    dimension: int
    dimensions: int
    writes = None

    def encode(self) -> bytes:
        header = (OFPAT_EXPERIMENTER, 16, NX_VENDOR_ID, NXAST_CONJUNCTION)
        return struct.pack("!HHIHBBI", *header, self.dimension - 1, self.dimensions, self.number)

    def __str__(self) -> str:
        return f"conjunction({self.number},{self.dimension}/{self.dimensions})"


Action = (
    Load | ClearInPort | SetField | DecTTL | Output | ToController | OutputToRegister | ToGroup | Goto | Resubmit | Multipath
    | Conntrack | Conjunction
)  # fmt: skip


def bits_text(bits: Bits) -> str:
    """NXM_NX_REG0[0..3]"""
    if bits.width == FIELD[bits.field].bits:
        return f"{FIELD[bits.field].nxm}[]"
    span = str(bits.low) if bits.low == bits.high else f"{bits.low}..{bits.high}"
    return f"{FIELD[bits.field].nxm}[{span}]"
