"""Connections one after the other, from and to programs that do nothing else. Run as a file in pods and namespaces:

    serve ADDRESS PORT            accept and close, until killed; prints "listening"
    rate ADDRESS PORT SECONDS     connect and close for so long; prints how many a second
    answer ADDRESS PORT           answer HTTP requests, each by a connection of its own; prints "listening"
    request ADDRESS PORT SECONDS  make such requests for so long; prints how many a second
    latency COUNT [ADDRESS:PORT]… connect to each in turn; prints the milliseconds of each as JSON
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from collections.abc import Callable

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset, so that no local port waits."""


_REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def serve(address: str, port: int, answering: bool) -> None:
    with socket.create_server((address, port), backlog=1024) as server:
        print("listening", flush=True)
        while True:
            with server.accept()[0] as client:
                if answering and client.recv(4096):
                    client.sendall(_ANSWER)


def connect_ms(address: str, port: int) -> float:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        client.settimeout(3)
        began = time.perf_counter()
        client.connect((address, port))
        return (time.perf_counter() - began) * 1000


def request(address: str, port: int) -> None:
    """Raises OSError, and ValueError when the answer is another."""
    with socket.create_connection((address, port), 3) as client:
        client.sendall(_REQUEST)
        answer = b""
        while part := client.recv(4096):
            answer += part
        if not (answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"ok")):
            raise ValueError(f"{address} port {port} answered {answer!r}")


def rate(once: Callable[[str, int], object], address: str, port: int, seconds: float) -> float:
    """How often a second."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() < began + seconds:
        once(address, port)
        count += 1
    return count / (time.perf_counter() - began)


def main() -> None:
    command, *words = sys.argv[1:]
    if command in ("serve", "answer"):
        serve(words[0], int(words[1]), answering=command == "answer")
    elif command in ("rate", "request"):
        once = {"rate": connect_ms, "request": request}[command]
        print(json.dumps(rate(once, words[0], int(words[1]), float(words[2]))))
    else:
        targets = [(address, int(port)) for address, port in (word.split(":") for word in words[1:])]
        print(json.dumps([connect_ms(*targets[number % len(targets)]) for number in range(int(words[0]))]))


if __name__ == "__main__":
    main()
