"""Connections one after the other, from and to programs that do nothing else. Run as a file in pods and namespaces:

    serve ADDRESS PORT            accept and close, until killed; prints "listening"
    rate ADDRESS PORT SECONDS     connect and close for so long; prints how many a second
    latency COUNT [ADDRESS:PORT]… connect to each in turn; prints the milliseconds of each as JSON
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset, so that no local port waits."""


def serve(address: str, port: int) -> None:
    with socket.create_server((address, port), backlog=1024) as server:
        print("listening", flush=True)
        while True:
            server.accept()[0].close()


def connect_ms(address: str, port: int) -> float:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        client.settimeout(3)
        began = time.perf_counter()
        client.connect((address, port))
        return (time.perf_counter() - began) * 1000


def rate(address: str, port: int, seconds: float) -> float:
    count, began = 0, time.perf_counter()
    while time.perf_counter() < began + seconds:
        connect_ms(address, port)
        count += 1
    return count / (time.perf_counter() - began)


def main() -> None:
    command, *words = sys.argv[1:]
    if command == "serve":
        serve(words[0], int(words[1]))
    elif command == "rate":
        print(json.dumps(rate(words[0], int(words[1]), float(words[2]))))
    else:
        targets = [(address, int(port)) for address, port in (word.split(":") for word in words[1:])]
        print(json.dumps([connect_ms(*targets[number % len(targets)]) for number in range(int(words[0]))]))


if __name__ == "__main__":
    main()
