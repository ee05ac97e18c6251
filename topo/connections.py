"""Ended connections leave the switch's connection table before Open vSwitch's own sweep finds them.

Of a connection that was translated, the userspace datapath of Open vSwitch 3.1 leaves half behind when its time is over
or its port is used again: nothing lists it, and its source port stays taken. What comes after it gets another port, and
when there is none left, after some 28,000 connections of a client to an endpoint, packets pass untranslated: a node
port refuses. A connection that is deleted by name leaves nothing (docs/decisions/018-ended-connections.md).
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from topo import services
from topo.packet_sockets import PID_FILE

_PROBE_S, _CALM_S = 1.0, 10.0
"""Seconds between looks when the table is large, and when it is not. Open vSwitch keeps what has ended for 30 s."""
_LARGE = 1000
_SHARE = 0.1
"""At most so much of the time is spent on looking: the switch moves no packet meanwhile."""
_TUPLE = r"\(src=([^,]+),dst=([^,]+),sport=(\d+),dport=(\d+)\)"
_ENDED = re.compile(rf"^tcp,orig={_TUPLE},reply={_TUPLE}(?:,zone=(\d+))?.*state=TIME_WAIT\)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ended:
    """A connection that both sides have closed, by its zone and what its first packet had."""

    zone: int
    source: str
    destination: str
    source_port: str
    destination_port: str

    @property
    def arguments(self) -> tuple[str, str]:
        """What `dpctl/flush-conntrack` wants (ovs-dpctl(8)). It takes no datapath's name beside a zone."""
        version = 6 if ":" in self.source else 4
        addresses = {4: "ct_nw_src={},ct_nw_dst={}", 6: "ct_ipv6_src={},ct_ipv6_dst={}"}[version]
        ports = f"ct_tp_src={self.source_port},ct_tp_dst={self.destination_port}"
        named = addresses.format(self.source, self.destination)
        return f"zone={self.zone}", f"ct_nw_proto={socket.IPPROTO_TCP},{named},{ports}"


def translated(dump: str) -> Iterator[Ended]:
    """The connections in a text of `dpctl/dump-conntrack` that have ended and were translated."""
    for found in _ENDED.finditer(dump):
        source, destination, sport, dport, answers_from, answers_to, from_port, to_port, zone = found.groups()
        if (source, destination, sport, dport) != (answers_to, answers_from, to_port, from_port):
            yield Ended(int(zone or 0), source, destination, sport, dport)


class Sweep:
    """What was seen at the last look and is still there, is deleted: late packets of it have come by then."""

    def __init__(self) -> None:
        self._seen: frozenset[Ended] = frozenset()

    def look(self, switch: Control) -> int:
        """How many connections are in the table, ended or not."""
        count = int(switch.ask("dpctl/ct-get-nconns"))
        ended = frozenset(translated(switch.ask("dpctl/dump-conntrack"))) if count else frozenset()
        for each in ended & self._seen:
            delete(switch, each)
        self._seen = ended - self._seen
        return count


class RefusedError(Exception):
    """The switch answered that it cannot."""


class Control:
    """A connection to a switch's control socket (ovs-vswitchd(8)): JSON-RPC, one question after the other."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when nobody is there."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._decoder = json.JSONDecoder()
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, method: str, *parameters: str) -> str:
        """Raises RefusedError with what the switch says against it, ConnectionError when it ends."""
        self._socket.sendall(json.dumps({"id": 0, "method": method, "params": parameters}).encode())
        said = b""
        while True:
            if not (part := self._socket.recv(1 << 20)):
                raise ConnectionResetError(f"{method}: the switch has ended")
            said += part
            if said.endswith(b"}"):
                try:
                    answer = self._decoder.decode(said.decode())
                except json.JSONDecodeError:
                    continue
                if answer["error"] is not None:
                    raise RefusedError(f"{method} {' '.join(parameters)}: {answer['error']}")
                return str(answer["result"])


def delete(switch: Control, ended: Ended) -> None:
    """Nothing if it has gone by itself meanwhile."""
    try:
        switch.ask("dpctl/flush-conntrack", *ended.arguments)
    except RefusedError as refusal:
        if os.strerror(errno.ENOENT) not in str(refusal):
            raise


def sweep_for_ever() -> None:
    """In a thread of its own, from now on, whichever switch process runs."""
    Thread(target=_sweep, name="connections", daemon=True).start()


def _sweep() -> None:
    sweep, pause_s = Sweep(), _CALM_S
    while True:
        time.sleep(pause_s)
        began = time.monotonic()
        try:
            with Control(Path(services.OVS_RUN) / f"ovs-vswitchd.{PID_FILE.read_text().strip()}.ctl") as switch:
                count = sweep.look(switch)
        except (FileNotFoundError, ConnectionError):
            count = 0  # it is being started again, with an empty table
        pause_s = max(_PROBE_S if count > _LARGE else _CALM_S, (time.monotonic() - began) / _SHARE)
