"""What a Switch sends, and the messages in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Wire:
    """Takes what a Switch sends."""

    sent: list[bytes] = field(default_factory=list)

    def send(self, wire: bytes) -> None:
        self.sent.append(wire)


def messages(wire: bytes) -> Iterator[tuple[int, int, bytes]]:
    """OpenFlow messages one after the other: type, transaction id, body."""
    offset = 0
    while offset < len(wire):
        length = int.from_bytes(wire[offset + 2 : offset + 4], "big")
        message = wire[offset : offset + length]
        yield message[1], int.from_bytes(message[4:8], "big"), message[8:]
        offset += length
