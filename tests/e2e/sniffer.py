"""Runs in a pod: counts what comes in by source, protocol and port, until it is ended (SIGTERM).

    python3 -c TEXT

Prints "ready"; at the end as JSON what came, [[source, protocol, port, count], …], and how many more it had no room for.
"""

from __future__ import annotations

import json
import signal
import socket
import struct
from collections import Counter

LOOK_S = 0.1
BUFFER_BYTES = 16 << 20
ETH_P_IP, SOL_PACKET, PACKET_STATISTICS = 0x0800, 263, 6
NAMES = {socket.IPPROTO_UDP: "UDP", socket.IPPROTO_TCP: "TCP"}


def main() -> None:
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    came: Counter[tuple[str, str, int]] = Counter()
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP)) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        ear.settimeout(LOOK_S)
        print("ready", flush=True)
        while True:
            try:
                packet, (_, _, kind, _, _) = ear.recvfrom(128)
            except TimeoutError:
                if ended:
                    break
                continue
            if kind != socket.PACKET_OUTGOING and packet[9] in NAMES:
                start = 4 * (packet[0] & 15)
                port = int.from_bytes(packet[start + 2 : start + 4], "big")
                came[socket.inet_ntoa(packet[12:16]), NAMES[packet[9]], port] += 1
        _, lost = struct.unpack("II", ear.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    print(json.dumps({"came": [[*key, count] for key, count in sorted(came.items())], "lost": lost}))


if __name__ == "__main__":
    main()
