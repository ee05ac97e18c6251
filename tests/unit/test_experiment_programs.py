"""The programs that make load in pods, against servers of this process."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket
from typing import Any

import pytest

from experiments.scripted import scene
from experiments.scripted.programs.pacing import Record


class Server(ThreadingHTTPServer):
    """Answers as "a" and "b" in turn; `failing`: with 503."""

    daemon_threads = True
    asked = 0
    failing = False
    connections: set[Any]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        self.server.connections.add(self.client_address)
        body = b"ab"[self.server.asked % 2 :][:1]
        self.send_response(503 if self.server.failing else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as made:
        made.connections = set()
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.shutdown()


def ask(program: str, **options: Any) -> dict[str, Any]:
    given = {"address": "127.0.0.1", "seconds": 0.5, "patience_s": 1.0, "rate": None, "concurrency": 1, **options}
    argv = [sys.executable, "-c", scene.text_of(program), json.dumps(given)]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout.splitlines()
    assert said[0] == "began"
    found: dict[str, Any] = json.loads(said[1])
    return found


def http(server: Server, **options: Any) -> dict[str, Any]:
    given = {"port": server.server_port, "host": "x", "path": "/hostname", "connections": "new", **options}
    return ask("http_load", **given)


def test_a_rate_is_kept(server: Server) -> None:
    found = http(server, rate=40)
    assert found["figures"]["requests"] == server.asked == 20
    assert found["figures"]["failed"] == 0
    assert found["tables"]["answers"] == {"a": 10, "b": 10}
    assert found["figures"]["fairness"] == 1
    assert found["figures"]["endpoints"] == 2
    assert 0 < found["figures"]["latency_p50"] <= found["figures"]["latency_p99"] <= found["figures"]["latency_max"]


@pytest.mark.parametrize("connections", ["new", "kept"])
def test_as_fast_as_they_are_answered(server: Server, connections: str) -> None:
    found = http(server, concurrency=3, connections=connections)
    assert found["figures"]["requests"] == server.asked > 10
    assert found["figures"]["failed"] == 0
    assert (len(server.connections) == 3) == (connections == "kept")


def test_what_is_no_success_has_failed(server: Server) -> None:
    server.failing = True
    found = http(server, rate=20)
    assert found["figures"]["failed"] == found["figures"]["requests"] == 10
    assert found["figures"]["failed_ratio"] == 1
    assert "latency_p50" not in found["figures"]
    assert found["figures"]["outage"] == pytest.approx(0.45, abs=0.01)


def test_who_refuses_has_failed() -> None:
    with socket() as unused:
        unused.bind(("127.0.0.1", 0))
        found = ask("http_load", port=unused.getsockname()[1], host="x", path="/", connections="new", rate=20)
    assert found["tables"]["failures"] == {"ConnectionRefusedError": 10}


def test_it_ends_early_when_it_is_told_to(server: Server) -> None:
    options = {"address": "127.0.0.1", "port": server.server_port, "host": "x", "path": "/", "connections": "new",
               "seconds": 60, "patience_s": 1.0, "rate": 20, "concurrency": 1}  # fmt: skip
    argv = [sys.executable, "-c", scene.text_of("http_load"), json.dumps(options)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "began\n"
        while server.asked < 3:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        found = json.loads(process.communicate(timeout=10)[0])
    assert 3 <= found["figures"]["requests"] < 200


def test_questions_to_a_dns_server() -> None:
    with socket(AF_INET, SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)

        def answer() -> None:
            for _ in range(10):
                question, client = server.recvfrom(512)
                known = b"\5known" in question
                server.sendto(question[:2] + b"\x81\x80" + question[4:6] + bytes([0, known]) + question[8:], client)

        thread = threading.Thread(target=answer)
        thread.start()
        found = ask("dns_load", port=server.getsockname()[1], names=["known.x", "other.x"], type="A", rate=20)
        thread.join()
    assert found["figures"]["requests"] == 10
    assert found["tables"]["failures"] == {"ValueError": 5}


def record(*requests: tuple[float, str | None]) -> Record:
    made = Record()
    made.requests = [(due, 0.01, None if error else "a", error) for due, error in requests]
    return made


def test_an_outage_is_the_longest_time_in_which_all_failed() -> None:
    figures = record((0.0, None), (1.0, "x"), (2.0, "x"), (3.0, None), (4.0, "x"), (5.0, None)).told()["figures"]
    assert figures["outage"] == 2.0  # type: ignore[index]


def test_latency_at_a_rate_counts_from_when_a_request_was_due() -> None:
    async def late() -> Record:
        made = Record()
        made.began -= 5

        async def ask(_number: int) -> str:
            return "a"

        await made.make(ask, 0, 1.0, 1.0)
        return made

    (_, taken, _, _), = asyncio.run(late()).requests
    assert taken == pytest.approx(4, abs=0.5)


def test_programs_stand_alone() -> None:
    for path in Path(scene.PROGRAMS).glob("*_load.py"):
        imported = [line for line in scene.text_of(path.stem).splitlines() if line.startswith(("import ", "from "))]
        assert imported and not any("experiments" in line for line in imported)
