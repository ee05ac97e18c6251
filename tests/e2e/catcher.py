"""Runs in a pod: receives datagrams on PORT until one comes from source port LAST, and for a moment more.

    python3 -c TEXT PORT LAST

Prints "ready", and at the end as JSON the source ports that came.
"""

from __future__ import annotations

import json
import socket
import sys

PATIENCE_S, MOMENT_S = 30.0, 0.4


def main() -> None:
    port, last = map(int, sys.argv[1:])
    came: set[int] = set()
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        receiver.bind(("::", port))
        receiver.settimeout(PATIENCE_S)
        print("ready", flush=True)
        while True:
            try:
                _, sender = receiver.recvfrom(1 << 16)
            except TimeoutError:
                break
            came.add(sender[1])
            if sender[1] == last:
                receiver.settimeout(MOMENT_S)
    print(json.dumps(sorted(came)))


if __name__ == "__main__":
    main()
