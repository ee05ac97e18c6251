"""What `ofproto/trace` prints, read: which flow every table chose, and what became of the packet (ovs-vswitchd(8))."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_STEP = re.compile(r"^ *(?P<table>\d+)\. (?P<rule>.+)$")
_RULE = re.compile(r"^(?:(?P<match>.*?), )?priority (?P<priority>\d+)(?:, cookie (?P<cookie>0x[0-9a-f]+))?$")
_OUTPUT = re.compile(r"^ *(?:-> output port is|output:)\s*(\d+)$")
_FLOW = re.compile(r"^(?:Flow|Final flow): (\S+)$")
"""A packet as it comes, also out of a connection table that may have translated it, and as it goes."""
_HASH_MISSING = re.compile(r"^Datapath actions: .*hash\(")


@dataclass(slots=True)
class TracedStep:
    """One table's part. `cookie` None: no flow matched."""

    table_id: int
    match: str
    cookie: int | None
    actions: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Traced:
    """`out_port` None: the packet ended here. `packet` is what left, or was dropped: fields as ovs-ofctl names them.

    `needs_hash`: a select group waits for the hash of the packet, which a trace has to be given.
    """

    steps: tuple[TracedStep, ...]
    out_port: int | None
    packet: Mapping[str, str]
    needs_hash: bool


def parse(text: str) -> Traced:
    """Raises ValueError for what is no trace."""
    steps: list[TracedStep] = []
    out_port: int | None = None
    packet: Mapping[str, str] = {}
    for line in text.splitlines():
        if (flow := _FLOW.match(line)) and flow[1] != "unchanged":
            packet = _fields(flow[1])
        elif found := _STEP.match(line):
            steps.append(_step(int(found["table"]), found["rule"]))
        elif line.startswith(" ") and steps:
            steps[-1].actions.append(line.strip())
            if output := _OUTPUT.match(line):
                out_port = int(output[1])
    if not steps:
        raise ValueError(f"no trace: {text}")
    return Traced(tuple(steps), out_port, packet, any(map(_HASH_MISSING.match, text.splitlines())))


def _step(table_id: int, rule: str) -> TracedStep:
    found = _RULE.match(rule)
    if found is None:
        return TracedStep(table_id, rule, None)
    cookie = int(found["cookie"], 16) if found["cookie"] else 0
    return TracedStep(table_id, found["match"] or "", cookie)


def _fields(flow: str) -> Mapping[str, str]:
    """A word alone ("tcp") stands for itself."""
    parts = (part.partition("=") for part in flow.split(","))
    return {name: value or name for name, _, value in parts}
