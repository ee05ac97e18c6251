"""Runs in a pod: packets to every target in turn, at a steady rate, until it is ended (SIGTERM) or its time is over.

    python3 -c TEXT RATE SECONDS HOST:PORT…

RATE is packets a second: UDP and TCP (SYN), each a new connection or the first one again. Prints "begun" after the first
round; at the end as JSON how many it sent, and how many more its interface did not take.
"""

from __future__ import annotations

import itertools
import json
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator

FIRST_PORT, LAST_PORT, SYN = 20000, 60000, 0x02
BURST_S = 0.002


def checksum(content: bytes) -> int:
    total = sum(struct.unpack(f"!{len(content) // 2}H", content))
    total = (total & 0xFFFF) + (total >> 16)
    return ((total & 0xFFFF) + (total >> 16)) ^ 0xFFFF


def udp(own: bytes, to: bytes, source_port: int, port: int) -> bytes:
    return struct.pack("!HHHH", source_port, port, 8, 0)


def tcp(own: bytes, to: bytes, source_port: int, port: int) -> bytes:
    segment = struct.pack("!HHIIBBHHH", source_port, port, 1, 0, 5 << 4, SYN, 0xFFFF, 0, 0)
    total = checksum(own + to + struct.pack("!HH", socket.IPPROTO_TCP, len(segment)) + segment)
    return segment[:16] + struct.pack("!H", total) + segment[18:]


def own_address(host: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.connect((host, 9))
        return socket.inet_aton(found.getsockname()[0])


def packets(targets: list[tuple[str, int]]) -> Iterator[tuple[int, bytes, str]]:
    """(protocol, what follows the IP header, host), for ever."""
    own = own_address(targets[0][0])
    new = itertools.cycle(range(FIRST_PORT, LAST_PORT))
    while True:
        for make, protocol in ((udp, socket.IPPROTO_UDP), (tcp, socket.IPPROTO_TCP)):
            for source_port in (FIRST_PORT - 1, next(new)):
                for host, port in targets:
                    yield protocol, make(own, socket.inet_aton(host), source_port, port), host


def main() -> None:
    rate, seconds = float(sys.argv[1]), float(sys.argv[2])
    targets = [(host, int(port)) for host, _, port in (word.partition(":") for word in sys.argv[3:])]
    protocols = (socket.IPPROTO_UDP, socket.IPPROTO_TCP)
    senders = {each: socket.socket(socket.AF_INET, socket.SOCK_RAW, each) for each in protocols}
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    tried, refused, began = 0, 0, time.monotonic()
    for protocol, content, host in packets(targets):
        try:
            senders[protocol].sendto(content, (host, 0))
        except OSError:
            refused += 1  # ENOBUFS
        tried += 1
        if tried == 4 * len(targets):
            print("begun", flush=True)
        passed = time.monotonic() - began
        if ended or passed > seconds:
            break
        if tried / rate - passed > BURST_S:
            time.sleep(tried / rate - passed)
    print(json.dumps({"sent": tried - refused, "refused": refused}))


if __name__ == "__main__":
    main()
