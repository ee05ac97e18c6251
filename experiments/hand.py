"""A program in a pod that does what it is told, a line of JSON at a time, and answers with one. Only standard library.

    {"do": "serve", "address", "port"}         answer every byte with one, from now on, on every connection
    {"do": "start", "argv", "said"}            start a program that ends with this one; answer when it has printed that
    {"do": "run", "argv", "timeout"}           run a program: its exit status and what it printed
    {"do": "requests", "address", "port", "seconds"}      on one connection
    {"do": "connections", "address", "port", "seconds"}   one request on each
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
import time
from typing import Any

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset, so that no local port waits."""
_TIMEOUT_S = 5.0
_started: list[subprocess.Popen[str]] = []


def serve(address: str, port: int) -> dict[str, Any]:
    server = socket.create_server((address, port), backlog=1024)
    threading.Thread(target=_accept, args=(server,), daemon=True).start()
    return {}


def _accept(server: socket.socket) -> None:
    """One client at a time: there is one."""
    while True:
        client, _ = server.accept()
        with client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while data := client.recv(1):
                    client.sendall(data)
            except ConnectionError:
                continue  # the client has closed with a reset


def start(argv: list[str], said: str) -> dict[str, Any]:
    program = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    _started.append(program)
    assert program.stdout is not None
    lines = []
    for line in program.stdout:
        lines.append(line)
        if said in line:
            threading.Thread(target=program.stdout.read, daemon=True).start()
            return {}
    return {"error": f"{argv[0]} ended with {program.wait()}: {''.join(lines).strip()}"}


def run(argv: list[str], timeout: float) -> dict[str, Any]:
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return {"error": f"{argv[0]} took longer than {timeout:g} s"}
    return {"status": done.returncode, "out": done.stdout, "err": done.stderr}


def connect(address: str, port: int) -> socket.socket:
    client = socket.create_connection((address, port), timeout=_TIMEOUT_S)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    return client


def ask(client: socket.socket) -> None:
    client.sendall(b"?")
    if not client.recv(1):
        raise ConnectionError("the server has closed the connection")


def requests(address: str, port: int, seconds: float) -> dict[str, Any]:
    with connect(address, port) as client:
        ask(client)
        return repeated(lambda: ask(client), seconds)


def connections(address: str, port: int, seconds: float) -> dict[str, Any]:
    def once() -> None:
        with connect(address, port) as client:
            ask(client)

    return repeated(once, seconds)


def repeated(action: Any, seconds: float) -> dict[str, Any]:
    """How many a second, and how long they took."""
    took, began = [], time.perf_counter()
    until, last = began + seconds, began
    while last < until:
        action()
        now = time.perf_counter()
        took.append(now - last)
        last = now
    took.sort()
    return {"per_s": len(took) / (last - began), "p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100]}


ACTIONS: dict[str, Any] = {
    "serve": serve, "start": start, "run": run, "requests": requests, "connections": connections,
}  # fmt: skip


def main() -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        told = json.loads(line)
        try:
            answer = ACTIONS[told.pop("do")](**told)
        except OSError as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    for program in _started:
        program.terminate()


if __name__ == "__main__":
    main()
