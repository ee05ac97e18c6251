"""Asks a DNS server for A records over UDP: how fast, how soon. Runs in a pod, so it is one file with nothing but the
library; answers are JSON lines.

    dns_asking.py latency SERVER NAME COUNT              one after the other: milliseconds of each
    dns_asking.py load SERVER PATTERN COUNT SECONDS      many at a time, names 0 to COUNT - 1 in turn: answers per
                                                         second to the first question about each, and after that
    dns_asking.py follow SERVER                          for each line "NAME ADDRESS" on standard input: "asking", and
                                                         when the name has the address, the monotonic clock in seconds
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time

_WINDOW = 64
_PATIENCE_S = 0.25
_LONGEST_S = 60.0
_FOLLOW_S = 0.001
"""Between two looks."""


def question(number: int, name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return struct.pack("!HHHHHH", number & 0xFFFF, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)


def connected(server: str, timeout_s: float) -> socket.socket:
    client = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
    client.connect((server, 53))
    client.settimeout(timeout_s)
    return client


def latency(server: str, name: str, count: int) -> list[float]:
    found = []
    with connected(server, 2.0) as client:
        for number in range(count):
            began = time.perf_counter()
            client.send(question(number, name))
            response = client.recv(512)
            found.append((time.perf_counter() - began) * 1000)
            if response[3] & 15 or not response[7]:
                raise SystemExit(f"{name} has no address")
    return found


def load(server: str, pattern: str, count: int, seconds: float) -> dict[str, float]:
    """Answers per second to the first question about each name, and to those after it; queries that had none."""
    questions = [question(number, pattern % number) for number in range(count)]
    sent = answers = lost = 0
    with connected(server, _PATIENCE_S) as client:

        def until(enough: int, end: float) -> float:
            """Ask on until so many answers have come or it is late; answers per second."""
            nonlocal sent, answers, lost
            began, before = time.perf_counter(), answers
            while answers < enough and (now := time.perf_counter()) < end:
                while sent - answers - lost < _WINDOW:
                    client.send(questions[sent % count])
                    sent += 1
                try:
                    response = client.recv(512)
                except TimeoutError:
                    lost = sent - answers
                    continue
                if response[3] & 15 or not response[7]:
                    raise SystemExit(f"no address: {response!r}")
                answers += 1
            return (answers - before) / (now - began)

        first = until(count, time.perf_counter() + _LONGEST_S)
        again = until(sys.maxsize, time.perf_counter() + seconds)
    return {"first_per_s": first, "again_per_s": again, "lost": lost}


def follow(server: str) -> None:
    with connected(server, _PATIENCE_S) as client:
        for line in sys.stdin:
            name, address = line.split()
            wanted, number = socket.inet_aton(address), 0
            print("asking", flush=True)
            while True:
                number += 1
                asked = question(number, name)
                client.send(asked)
                try:
                    while (response := client.recv(512))[:2] != asked[:2]:
                        pass
                except TimeoutError:
                    continue
                if response[7] == 1 and response[-4:] == wanted:
                    break
                time.sleep(_FOLLOW_S)
            print(time.monotonic(), flush=True)


def main() -> None:
    mode, server, *arguments = sys.argv[1:]
    if mode == "follow":
        follow(server)
    elif mode == "latency":
        print(json.dumps(latency(server, arguments[0], int(arguments[1]))))
    else:
        print(json.dumps(load(server, arguments[0], int(arguments[1]), float(arguments[2]))))


if __name__ == "__main__":
    main()
