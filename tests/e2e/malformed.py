"""Runs in a pod: sends many packets that are no proper DNS queries, over UDP and TCP.

    malformed.py SERVER COUNT SEED
"""

from __future__ import annotations

import random
import socket
import struct
import sys

_WHOLE = struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 1) + b"\3web\4shop\3svc\7cluster\5local\0\0\1\0\1" + (
    b"\0\0\x29\4\xd0\0\0\0\0\0\0"
)
_IN_ONE_CONNECTION = 100
_AT_ONCE = 50


def malformed(chance: random.Random) -> bytes:
    """A query with bytes that changed, cut off somewhere; or bytes by chance."""
    if chance.random() < 0.2:
        return chance.randbytes(chance.randrange(600))
    packet = bytearray(_WHOLE)
    for _ in range(chance.randrange(1, 6)):
        packet[chance.randrange(len(packet))] = chance.randrange(256)
    return bytes(packet[: chance.randrange(len(packet) + 1)])


def main() -> None:
    server, count, chance = sys.argv[1], int(sys.argv[2]), random.Random(int(sys.argv[3]))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((server, 53))
        client.settimeout(0.05)
        for number in range(count // 2):
            client.send(malformed(chance))
            if number % _AT_ONCE == 0:
                # Wait for an answer now and then, so that packets arrive and are not dropped on the way.
                try:
                    client.recv(4096)
                except TimeoutError:
                    continue
    for _ in range(count // 2 // _IN_ONE_CONNECTION):
        with socket.create_connection((server, 53), 5) as stream:
            for _ in range(_IN_ONE_CONNECTION):
                packet = malformed(chance)
                length = len(packet) if chance.random() < 0.9 else chance.randrange(len(packet) + 1)
                stream.sendall(length.to_bytes(2, "big") + packet)
    print(count)


if __name__ == "__main__":
    main()
