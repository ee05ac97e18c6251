"""What a sandbox's interfaces lost and its shaped links carried, until standard input ends; then say so, as JSON.

Run in the sandbox's namespaces, with its links as one JSON argument: [[name, network namespace or "", interface], …];
other interfaces that are shaped by HTB or TBF are found. It is handed over as text, so it needs nothing but the
standard library.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

PERIOD_S = 0.1
CLONE_NEWNET = 0x40000000
# linux/rtnetlink.h, linux/gen_stats.h, linux/pkt_sched.h, linux/packet_diag.h, linux/sock_diag.h: the names are theirs.
NLM_F_REQUEST, NLM_F_DUMP, NLMSG_DONE, NLMSG_ERROR = 1, 0x300, 3, 2
RTM_NEWQDISC, RTM_GETQDISC, RTM_NEWTCLASS, RTM_GETTCLASS = 36, 38, 40, 42
TCA_KIND, TCA_OPTIONS, TCA_STATS2, TCA_STATS_BASIC, TCA_STATS_QUEUE = 1, 2, 7, 1, 3
TCA_HTB_PARMS, TCA_HTB_RATE64, TCA_TBF_PARMS, TCA_TBF_RATE64 = 1, 6, 1, 4
SOCK_DIAG_BY_FAMILY, NETLINK_SOCK_DIAG, PACKET_SHOW_MEMINFO, PACKET_DIAG_MEMINFO = 20, 4, 0x10, 6
SK_MEMINFO_DROPS = 8
RATE_OFFSET = 8
"""Of the bytes per second in struct tc_ratespec, with which the parameters of both shapers begin."""
Attributes = dict[int, bytes]


def attributes(data: bytes) -> Attributes:
    found, offset = {}, 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def dump(netlink: socket.socket, kind: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of every message of the answer. Raises OSError."""
    netlink.send(struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | NLM_F_DUMP, 0, 0) + body)
    while True:
        data, offset = netlink.recv(1 << 18), 0
        while offset < len(data):
            length, answer = struct.unpack_from("=IH", data, offset)
            if answer == NLMSG_DONE:
                return
            if answer == NLMSG_ERROR:
                number = -struct.unpack_from("=i", data, offset + 16)[0]
                raise OSError(number, f"netlink: {os.strerror(number)}")
            yield answer, data[offset + 16 : offset + length]
            offset += (length + 3) & ~3


def shaper(kind: str, values: Attributes) -> tuple[float, int, int] | None:
    """Bytes per second it lets through, bytes it let through, bytes that wait; None for what limits no rate."""
    parameters, rate64 = {"htb": (TCA_HTB_PARMS, TCA_HTB_RATE64), "tbf": (TCA_TBF_PARMS, TCA_TBF_RATE64)}[kind]
    options = attributes(values[TCA_OPTIONS])
    if parameters not in options:
        return None
    rate = struct.unpack_from("=I", options[parameters], RATE_OFFSET)[0]
    if rate64 in options:
        rate = struct.unpack("=Q", options[rate64])[0]
    statistics = attributes(values[TCA_STATS2])
    sent = struct.unpack_from("=Q", statistics[TCA_STATS_BASIC])[0]
    waiting = struct.unpack_from("=II", statistics[TCA_STATS_QUEUE])[1]
    return float(rate), sent, waiting


class Link:
    """A shaped interface. Its rate is measured while packets wait at two looks in a row: only then it is the limit."""

    def __init__(self, name: str, netns: str, interface: str) -> None:
        self.name, self.rate = name, 0.0
        self.sent, self.could, self.waited_s = 0, 0.0, 0.0
        self._last: tuple[float, int, int] | None = None
        with visiting(netns):
            self._index = socket.if_nametoindex(interface)
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)

    def look(self) -> None:
        found = self._shaper()
        now = time.monotonic()
        if found is None:
            self._last = None
            return
        rate, sent, waiting = found
        if self._last is not None and waiting and self._last[2] and rate == self.rate:
            seconds = now - self._last[0]
            self.sent, self.could = self.sent + sent - self._last[1], self.could + rate * seconds
            self.waited_s += seconds
        self.rate, self._last = rate, (now, sent, waiting)

    def _shaper(self) -> tuple[float, int, int] | None:
        tcmsg = struct.pack("=BxxxiIII", socket.AF_UNSPEC, self._index, 0, 0, 0)
        for kind, body in (
            *dump(self._netlink, RTM_GETTCLASS, tcmsg), *dump(self._netlink, RTM_GETQDISC, tcmsg),
        ):  # fmt: skip
            values = attributes(body[20:])
            name = values[TCA_KIND].rstrip(b"\0").decode()
            # A class of HTB has the rate, its qdisc has none; TBF is a qdisc, and shows a class without a rate.
            own = struct.unpack_from("=i", body, 4)[0] == self._index
            if own and (kind, name) in ((RTM_NEWTCLASS, "htb"), (RTM_NEWQDISC, "tbf")):
                found = shaper(name, values)
                if found is not None:
                    return found
        return None

    def as_json(self) -> dict[str, float]:
        sent_bits, could_bits = self.sent * 8, self.could * 8
        return {"rate_bps": self.rate * 8, "waited_s": self.waited_s, "sent_bits": sent_bits, "could_bits": could_bits}


def shaped(netns: str) -> list[str]:
    """The interfaces of a namespace whose qdisc is a shaper."""
    found = set()
    with visiting(netns), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as own:
        for _, body in dump(own, RTM_GETQDISC, struct.pack("=BxxxiIII", socket.AF_UNSPEC, 0, 0, 0, 0)):
            if attributes(body[20:])[TCA_KIND].rstrip(b"\0") in (b"htb", b"tbf"):
                found.add(socket.if_indextoname(struct.unpack_from("=i", body, 4)[0]))
        return sorted(found)


def all_links(given: list[list[str]]) -> list[Link]:
    known = {(netns, interface) for _, netns, interface in given}
    pinned = sorted(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else []
    others = [(netns, interface) for netns in ("", *pinned) for interface in shaped(netns)]
    found = [[f"{netns or 'underlay'}:{interface}", netns, interface] for netns, interface in others]
    return [Link(*words) for words in (*given, *(link for link in found if (link[1], link[2]) not in known))]


@contextlib.contextmanager
def visiting(netns: str) -> Iterator[None]:
    """In that network namespace of the sandbox; "" is its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{netns}", os.O_RDONLY) if netns else os.dup(home)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), netns)
        yield
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(there)
        os.close(home)


def interfaces() -> dict[str, tuple[int, int]]:
    """Packets and drops, both directions, of each interface of the namespace (/proc/net/dev), less loopbacks."""
    found = {}
    with open("/proc/self/net/dev") as file:
        for line in file.readlines()[2:]:
            name, _, counters = line.partition(":")
            words = [int(word) for word in counters.split()]
            if name.strip() != "lo":
                found[name.strip()] = words[1] + words[9], words[3] + words[11]
    return found


def socket_drops() -> int:
    """Packets that this namespace's packet sockets had no room for: those of the userspace datapath (packet(7))."""
    with contextlib.closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)) as netlink:
        request = struct.pack("=BBHIIII", socket.AF_PACKET, 0, 0, 0, PACKET_SHOW_MEMINFO, 0, 0)
        total = 0
        for _, body in dump(netlink, SOCK_DIAG_BY_FAMILY, request):
            memory = attributes(body[16:]).get(PACKET_DIAG_MEMINFO, b"")
            if len(memory) >= 4 * (SK_MEMINFO_DROPS + 1):
                total += struct.unpack_from("=I", memory, 4 * SK_MEMINFO_DROPS)[0]
        return total


def lost(before: dict[str, tuple[int, int]], now: dict[str, tuple[int, int]]) -> tuple[int, dict[str, int]]:
    """Packets since then, and drops by interface."""
    gained = {
        name: (packets - before.get(name, (0, 0))[0], drops - before.get(name, (0, 0))[1])
        for name, (packets, drops) in now.items()
    }
    return sum(packets for packets, _ in gained.values()), {name: drops for name, (_, drops) in gained.items() if drops}


def watch(links: list[Link]) -> dict[str, Any]:
    before, drops_before = interfaces(), socket_drops()
    ended = select.poll()
    ended.register(sys.stdin, select.POLLIN | select.POLLHUP)
    for link in links:
        link.look()
    while not ended.poll(PERIOD_S * 1000 if links else None):
        for link in links:
            link.look()
    packets, drops = lost(before, interfaces())
    at_sockets = socket_drops() - drops_before
    if at_sockets > 0:
        drops["the switch's packet sockets"] = at_sockets
    return {"packets": packets, "drops": drops, "links": {link.name: link.as_json() for link in links}}


if __name__ == "__main__":
    watched = all_links(json.loads(sys.argv[1]))
    print("ready", flush=True)
    print(json.dumps(watch(watched)), flush=True)
