"""Runs in a pod or on a node: a line of JSON in, a question; a line of JSON out, the answers. One process for many.

An answer is what the server said, or "refused", "timeout", "unreachable".
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

FAILURES = {ConnectionRefusedError: "refused", ConnectionResetError: "refused", TimeoutError: "timeout"}


def tcp(address: tuple[str, int], path: str, timeout_s: float) -> str:
    with socket.create_connection(address, timeout_s) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
    return answer.partition(b"\r\n\r\n")[2].decode()


def udp(address: tuple[str, int], data: str, timeout_s: float, local_port: int) -> str:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if local_port:
            sender.bind(("", local_port))
        sender.settimeout(timeout_s)
        sender.connect(address)
        sender.send(data.encode())
        return sender.recv(1 << 16).decode()


def sctp(address: tuple[str, int], data: str, timeout_s: float) -> str:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_SCTP) as connection:
        connection.settimeout(timeout_s)
        connection.connect(address)
        connection.send(data.encode())
        return connection.recv(1 << 16).decode()


def ask(question: dict[str, Any]) -> str:
    address, timeout_s = (question["host"], question["port"]), question["timeout_s"]
    try:
        if question["protocol"] == "udp":
            return udp(address, question["path"], timeout_s, question["local_port"])
        if question["protocol"] == "sctp":
            return sctp(address, question["path"], timeout_s)
        return tcp(address, question["path"], timeout_s)
    except OSError as error:
        return next((word for kind, word in FAILURES.items() if isinstance(error, kind)), "unreachable")


def main() -> None:
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps([ask(question) for _ in range(question["count"])]), flush=True)


if __name__ == "__main__":
    main()
