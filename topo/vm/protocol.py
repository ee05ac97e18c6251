"""What host and guest tell each other: JSON, a line each, over a virtio port of its own.

The guest: that it has come as far as INIT (the kernel runs, with its first process) and READY (its root is there), the
KUBECONFIG of a testbed, the EXIT status of the command, or what it LACKS. The host: what to RUN, and the terminal's SIZE.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

INIT, READY, KUBECONFIG, EXIT, LACKS = "init", "ready", "kubeconfig", "exit", "lacks"
RUN, SIZE = "run", "size"

CONTROL, INPUT, OUTPUT, ERRORS = "control", "input", "output", "errors"
PORTS = (CONTROL, INPUT, OUTPUT, ERRORS)
"""The virtio ports, by name."""


@dataclass(frozen=True, slots=True)
class Command:
    """What the guest is to run, and where. `terminal`: as (rows, columns), if it is to have one."""

    argv: tuple[str, ...]
    directory: str
    environment: dict[str, str]
    terminal: tuple[int, int] | None = None
    api_port: int | None = None


def encode(kind: str, value: Any = None) -> bytes:
    return json.dumps([kind, value]).encode() + b"\n"


def encode_command(command: Command) -> bytes:
    return encode(RUN, asdict(command))


def decode_command(value: dict[str, Any]) -> Command:
    terminal = value["terminal"]
    return Command(
        tuple(value["argv"]), value["directory"], value["environment"],
        tuple(terminal) if terminal else None, value["api_port"],
    )  # fmt: skip


class Lines:
    """Bytes as they come, messages as they are complete."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, Any]]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            kind, value = json.loads(line)
            yield kind, value
