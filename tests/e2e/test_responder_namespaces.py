"""One responder process serves a thousand pods' namespaces (topo/responder, topo/netns.py, topo/probes).

The scenario runs in network and mount namespaces of its own, by this same file as a program, so that nothing has to
be cleaned up: what it makes is gone when it ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from topo import linux, netns
from topo.probes import Grpc, HttpGet, Probe, Target, TcpSocket, check
from topo.servers import ServedContainer, Server
from topo.waiting import wait_until

PODS = 1000
GOAL_S = 0.5
GOAL_KB_PER_SERVER = 4
ROOT = Path(__file__).parents[2]


def unshare_command() -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--net", "--mount", "--"]


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What the scenario saw."""
    possible = subprocess.run([*unshare_command(), "true"], capture_output=True, text=True)
    if possible.returncode != 0:
        pytest.skip(f"no namespaces for this user: {possible.stderr.strip()}")
    command = [*unshare_command(), sys.executable, __file__]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_a_thousand_pods_are_served_in_half_a_second(seen: dict[str, Any]) -> None:
    assert seen["served"] == {"errors": {}, "notices": {}}
    assert seen["serve_s"] < GOAL_S, seen


def test_an_idle_server_costs_little_memory(seen: dict[str, Any]) -> None:
    assert seen["kb_per_server"] < GOAL_KB_PER_SERVER, seen


def test_each_pod_answers_with_its_own_name_over_both_families(seen: dict[str, Any]) -> None:
    assert seen["hostnames"] == [f"web-{number}" for number in (0, 1, 500, 999)]
    assert seen["client_ips"] == ["127.0.0.1", "[::1]"]


def test_udp_is_answered_in_the_namespace(seen: dict[str, Any]) -> None:
    assert seen["udp"] == "web-1"


def test_dial_connects_from_the_pods_namespace(seen: dict[str, Any]) -> None:
    assert seen["dial"] == {"responses": ["web-1", "web-1"]}


def test_probes_are_made_from_the_given_namespace(seen: dict[str, Any]) -> None:
    assert seen["probes"] == [True, True, True, True]
    assert seen["probe_elsewhere"] == [False, "TCP probe failed: connection refused"]


def test_removing_gives_every_descriptor_back(seen: dict[str, Any]) -> None:
    assert seen["descriptors_after"] == seen["descriptors_before"]


# --- the scenario, inside namespaces of its own


def make_namespaces(directory: Path) -> list[str]:
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("tmpfs", str(directory), "tmpfs")
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    paths = [str(directory / f"pod{number}") for number in range(PODS)]
    for path in paths:
        Path(path).touch()
        linux.unshare(linux.CLONE_NEWNET)
        linux.bind("/proc/thread-self/ns/net", path)
    linux.setns(home, linux.CLONE_NEWNET)
    for number in (0, 1, 500, 999):
        with netns.visit(paths[number]):
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return paths


class Responder:
    """The process under test and a conversation with it."""

    def __init__(self, run: Path) -> None:
        environment = {**os.environ, "MININETES_RUN": str(run)}
        self.process = subprocess.Popen([sys.executable, "-m", "topo.responder"], env=environment, cwd=ROOT)
        control = run / "responder.sock"
        wait_until(control.exists, 10, "the responder's control socket")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(control))
        self._lines = self._socket.makefile("rb")

    def ask(self, **request: Any) -> Any:
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(self._lines.readline())

    def memory_kb(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def get(path: str, host: str, target: str) -> str:
    """The body of an HTTP answer, asked inside a namespace."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with netns.socket_at(path, family, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect((host, 80))
        client.sendall(f"GET {target} HTTP/1.0\r\n\r\n".encode())
        return client.makefile("rb").read().decode().partition("\r\n\r\n")[2]


def udp_hostname(path: str) -> str:
    with netns.socket_at(path, socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect(("127.0.0.1", 81))
        client.send(b"hostname")
        return client.recv(100).decode()


def containers(paths: list[str]) -> list[dict[str, Any]]:
    servers = (Server("tcp", 80, "netexec"), Server("udp", 81, "netexec"))
    served = [ServedContainer(f"u{n}/c", path, f"web-{n}", servers) for n, path in enumerate(paths)]
    grpc = ServedContainer("u1/grpc", paths[1], "web-1", (Server("tcp", 82, "application"),))
    return [container.as_json() for container in (*served, grpc)]


async def probes(path: str) -> dict[str, Any]:
    inside, outside = Target("127.0.0.1", path), Target("127.0.0.1", None)
    handlers = (TcpSocket(80), HttpGet(80, "/healthz"), Grpc(82), HttpGet(82, "/"))
    results = [await check(Probe(handler, timeout_s=5), inside) for handler in handlers]
    elsewhere = await check(Probe(TcpSocket(80), timeout_s=5), outside)
    return {"probes": [result.ok for result in results], "probe_elsewhere": [elsewhere.ok, elsewhere.message]}


def scenario() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        paths = make_namespaces(Path(directory))
        responder = Responder(Path(directory))
        try:
            return observe(responder, paths)
        finally:
            responder.process.terminate()
            responder.process.wait()
            linux.unmount(directory)


def observe(responder: Responder, paths: list[str]) -> dict[str, Any]:
    described = containers(paths)
    responder.ask(serve=[])
    memory_kb, descriptors = responder.memory_kb(), responder.descriptors()
    begin = time.perf_counter()
    served = responder.ask(serve=described)
    serve_s = time.perf_counter() - begin
    seen = {
        "served": served,
        "serve_s": serve_s,
        "kb_per_server": (responder.memory_kb() - memory_kb) / (2 * PODS),
        "hostnames": [get(paths[number], "127.0.0.1", "/hostname") for number in (0, 1, 500, 999)],
        "client_ips": [get(paths[1], host, "/clientip").rpartition(":")[0] for host in ("127.0.0.1", "::1")],
        "udp": udp_hostname(paths[1]),
        "dial": json.loads(get(paths[1], "::1", "/dial?host=127.0.0.1&port=81&protocol=udp&request=hostname&tries=2")),
        **asyncio.run(probes(paths[1])),
    }
    responder.ask(serve=[], replace=True)
    return {**seen, "descriptors_before": descriptors, "descriptors_after": responder.descriptors()}


if __name__ == "__main__":
    print(json.dumps(scenario()))
