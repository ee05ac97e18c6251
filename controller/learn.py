"""The learn() action: a flow that makes flows, in the switch, without the controller (ovs-actions(7), "learn").

Layout: `struct nx_action_learn` and the flow_mod_specs behind it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from controller.actions import NX_VENDOR_ID, NXAST_LEARN, OFPAT_EXPERIMENTER, Load, bits_text
from controller.fields import FIELD, value_text
from controller.match import MatchField
from controller.pipeline import TABLE_ID

NX_LEARN_F_DELETE_LEARNED = 1 << 1
_FROM_FIELD, _IMMEDIATE = 0 << 13, 1 << 13
_TO_MATCH, _TO_LOAD = 0 << 11, 1 << 11


@dataclass(frozen=True, slots=True)
class Learn:
    """Add a flow to `table` that matches `fixed` and the packet's own values of `copied` (OXM names), and loads.

    It goes after `idle_timeout_s` without a packet (0 = never), and with the flow that made it.
    """

    table: str
    priority: int
    idle_timeout_s: int
    cookie: int
    fixed: tuple[MatchField, ...]
    copied: tuple[str, ...]
    loads: tuple[Load, ...]
    writes = "learn"

    def encode(self) -> bytes:
        specs = [self._immediate(_TO_MATCH, part.field, 0, FIELD[part.field].bits, part.value) for part in self.fixed]
        for name in self.copied:
            header, width = FIELD[name].header(), FIELD[name].bits
            specs.append(struct.pack("!HIHIH", width | _FROM_FIELD | _TO_MATCH, header, 0, header, 0))
        for load in self.loads:
            bits = load.bits
            specs.append(self._immediate(_TO_LOAD, bits.field, bits.low, bits.width, load.value))
        body = b"".join(specs)
        body += bytes(-len(body) % 8)
        fixed = struct.pack(
            "!HHIHHHHQHBxHH",
            *(OFPAT_EXPERIMENTER, 32 + len(body), NX_VENDOR_ID, NXAST_LEARN, self.idle_timeout_s, 0),
            *(self.priority, self.cookie, NX_LEARN_F_DELETE_LEARNED, TABLE_ID[self.table], 0, 0),
        )
        return fixed + body

    @staticmethod
    def _immediate(to: int, name: str, low: int, width: int, value: int) -> bytes:
        size = (width + 15) // 16 * 2
        target = struct.pack("!IH", FIELD[name].header(), low)
        return struct.pack("!H", width | _IMMEDIATE | to) + value.to_bytes(size, "big") + target

    def __str__(self) -> str:
        parts = [f"table={TABLE_ID[self.table]}"]
        parts += [f"idle_timeout={self.idle_timeout_s}"] if self.idle_timeout_s else []
        parts += [f"priority={self.priority}", f"cookie={self.cookie:#x}", "delete_learned"]
        # A learned flow needs its prerequisites spelled out: "eth_type=0x800", not "ip".
        parts += [f"{part.field.replace('ip_proto', 'nw_proto')}={value_text('hex', part.value)}" for part in self.fixed]
        parts += [f"OXM_OF_{name.upper()}[]" for name in self.copied]
        parts += [f"load:{load.value:#x}->{bits_text(load.bits)}" for load in self.loads]
        return f"learn({','.join(parts)})"
