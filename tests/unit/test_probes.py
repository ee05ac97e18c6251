"""Readiness, liveness and startup probes (topo/probes)."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from topo.probes import (
    ContainerProbes,
    Exec,
    Grpc,
    Health,
    HttpGet,
    Probe,
    ProbeState,
    Result,
    Schedule,
    Target,
    TcpSocket,
    check,
    probes_of,
)
from topo.responder.registry import Registry
from topo.servers import Kind, ServedContainer, Server

OK, NOT_OK = Result(True), Result(False, "no")
HERE = Target("127.0.0.1", None)
TCP = TcpSocket(80)


# --- spec


def test_defaults_are_the_apis() -> None:
    probes = probes_of({"readinessProbe": {"tcpSocket": {"port": 80}}})
    assert probes == ContainerProbes(readiness=Probe(TcpSocket(80, port_name="80"), 0, 10, 1, 1, 3))


def test_all_fields() -> None:
    http = {"port": "web", "path": "/h", "scheme": "HTTPS", "host": "h", "httpHeaders": [{"name": "A", "value": "b"}]}
    container = {
        "ports": [{"containerPort": 8080, "name": "web"}],
        "startupProbe": {"exec": {"command": ["true"]}, "initialDelaySeconds": 1, "periodSeconds": 2},
        "livenessProbe": {"grpc": {"port": 5, "service": "s"}, "timeoutSeconds": 3, "failureThreshold": 4},
        "readinessProbe": {"httpGet": http, "successThreshold": 2},
    }
    probes = probes_of(container)
    assert probes.startup == Probe(Exec(("true",)), 1, 2)
    assert probes.liveness == Probe(Grpc(5, "s"), timeout_s=3, failure_threshold=4)
    handler = HttpGet(8080, "/h", "HTTPS", "h", (("A", "b"),), "web")
    assert probes.readiness == Probe(handler, success_threshold=2)


def test_no_probes() -> None:
    assert not probes_of({"name": "c"})


# --- state


def settled(probe: Probe, at_first: bool | None, results: str) -> list[bool | None]:
    """What holds after each of a row of results, + success and - failure."""
    state, held = ProbeState(probe, at_first, 0.0), []
    for number, result in enumerate(results):
        state = state.after(OK if result == "+" else NOT_OK, float(number))
        held.append(state.settled)
    return held


@pytest.mark.parametrize(
    ("success", "failure", "at_first", "results", "expected"),
    [
        (1, 3, False, "+---+", [True, True, True, False, True]),
        (2, 1, False, "+-++-", [False, False, False, True, False]),
        (1, 3, True, "--+---", [True, True, True, True, True, False]),
        (1, 1, None, "-", [False]),
    ],
)
def test_thresholds(
    success: int, failure: int, at_first: bool | None, results: str, expected: list[bool | None]
) -> None:
    probe = Probe(TCP, success_threshold=success, failure_threshold=failure)
    assert settled(probe, at_first, results) == expected


def test_the_next_attempt_is_a_period_after_the_last_was_due() -> None:
    state = ProbeState(Probe(TCP, period_s=10), False, due=5.0)
    assert state.after(OK, 5.5).due == 15.0
    assert state.after(OK, 17.0).due == 17.0


# --- schedule


class Clocked:
    """A schedule with a clock of its own, which jumps from attempt to attempt."""

    def __init__(self, probes: ContainerProbes) -> None:
        self.schedule, self.now = Schedule(), 0.0
        self.first = self.schedule.add("c", probes, 0.0, 0.0)

    def attempt(self, results: dict[str, bool]) -> tuple[float, list[str], list[Health]]:
        """Go to the next attempts and report for each what `results` says of its kind: time, kinds, changes."""
        due = self.schedule.next_due()
        assert due is not None
        self.now = due
        attempts = self.schedule.take_due(self.now)
        reports = [self.schedule.report(each, Result(results[each.kind]), self.now) for each in attempts]
        return self.now, [each.kind for each in attempts], [report for report in reports if report]


def test_without_probes_a_container_is_ready_at_once() -> None:
    clocked = Clocked(ContainerProbes())
    assert clocked.first == Health(started=True, ready=True)
    assert clocked.schedule.next_due() is None


def test_the_initial_delay_is_honoured_and_then_every_period() -> None:
    clocked = Clocked(ContainerProbes(readiness=Probe(TCP, initial_delay_s=7, period_s=5)))
    assert clocked.first == Health(started=True, ready=False)
    assert clocked.attempt({"readiness": False}) == (7.0, ["readiness"], [])
    assert clocked.attempt({"readiness": True}) == (12.0, ["readiness"], [Health(True, True)])
    assert clocked.attempt({"readiness": True}) == (17.0, ["readiness"], [])


def test_a_startup_probe_holds_back_the_others() -> None:
    probes = ContainerProbes(startup=Probe(TCP, period_s=1), readiness=Probe(TCP), liveness=Probe(TCP))
    clocked = Clocked(probes)
    assert clocked.first == Health(started=False, ready=False)
    assert clocked.attempt({"startup": False})[1] == ["startup"]
    assert clocked.attempt({"startup": True}) == (1.0, ["startup"], [Health(True, False)])
    now, kinds, changes = clocked.attempt({"readiness": True, "liveness": True})
    assert (now, sorted(kinds), changes) == (1.0, ["liveness", "readiness"], [Health(True, True)])


def test_a_startup_that_never_comes_is_not_alive() -> None:
    clocked = Clocked(ContainerProbes(startup=Probe(TCP, failure_threshold=2)))
    assert clocked.attempt({"startup": False})[2] == []
    (health,) = clocked.attempt({"startup": False})[2]
    assert not health.alive and not health.started
    assert clocked.schedule.next_due() is None


def test_after_failed_liveness_nothing_is_asked_until_it_was_restarted() -> None:
    probes = ContainerProbes(readiness=Probe(TCP, initial_delay_s=99), liveness=Probe(TCP, failure_threshold=1))
    clocked = Clocked(probes)
    (health,) = clocked.attempt({"liveness": False})[2]
    assert not health.alive
    assert clocked.schedule.next_due() is None
    assert clocked.schedule.add("c", probes, 20.0, 20.0) == Health(True, False)
    assert clocked.schedule.next_due() == 20.0


def test_a_result_of_the_container_before_its_restart_is_dropped() -> None:
    schedule, probes = Schedule(), ContainerProbes(readiness=Probe(TCP))
    schedule.add("c", probes, 0, 0)
    (old,) = schedule.take_due(0)
    schedule.add("c", probes, 5, 5)
    assert schedule.report(old, OK, 6) is None
    assert len(schedule.take_due(6)) == 1


def test_removed_containers_are_not_asked() -> None:
    schedule = Schedule()
    for number in range(3):
        schedule.add(str(number), ContainerProbes(readiness=Probe(TCP, initial_delay_s=number)), 0, 0)
    schedule.remove("0")
    assert schedule.next_due() == 1
    schedule.remove("1")
    schedule.remove("2")
    assert schedule.next_due() is None


# --- checks


class Answering:
    """A server of the responder on loopback, as an asynchronous context; gives its port."""

    def __init__(self, kind: Kind, **server: Any) -> None:
        with socket.socket() as probe:
            probe.bind(("", 0))
            self.port = int(probe.getsockname()[1])
        self._server = Server("tcp", self.port, kind, **server)
        self._registry = Registry(lambda id, code: None)

    async def __aenter__(self) -> int:
        self._registry.serve(ServedContainer("u/c", None, "web-1", (self._server,)))
        return self.port

    async def __aexit__(self, *_: object) -> None:
        self._registry.clear()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/hostname", OK),
        ("hostname", OK),
        ("/echo?code=399", OK),
        ("/echo?code=400", Result(False, "HTTP probe failed with statuscode: 400")),
        ("/redirect?location=/echo%3Fcode=500", Result(False, "HTTP probe failed with statuscode: 500")),
        ("/redirect?location=http://192.0.2.1/", OK),
    ],
)
def test_http_check(path: str, expected: Result) -> None:
    async def run() -> None:
        async with Answering("netexec") as port:
            assert await check(Probe(HttpGet(port, path)), HERE) == expected

    asyncio.run(run())


def test_http_check_sends_its_headers() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        handler = HttpGet(port, "/x", headers=(("Cookie", "a=b"), ("Host", "shop"), ("accept", "text/x")))
        assert await check(Probe(handler), HERE) == OK
        server.close()

    seen: list[str] = []
    asyncio.run(run())
    assert seen == [
        "GET /x HTTP/1.1\r\nUser-Agent: kube-probe/1.30\r\nConnection: close\r\n"
        "Cookie: a=b\r\nHost: shop\r\naccept: text/x\r\n\r\n"
    ]


@pytest.mark.parametrize("service", ["", "shop.Cart", "s" * 200])
def test_grpc_check(service: str) -> None:
    async def run() -> None:
        async with Answering("application") as port:
            assert await check(Probe(Grpc(port, service)), HERE) == OK

    asyncio.run(run())


def test_https_check_takes_any_certificate() -> None:
    async def run() -> None:
        async with Answering("application") as port:
            assert await check(Probe(HttpGet(port, scheme="HTTPS"), timeout_s=5), HERE) == OK

    asyncio.run(run())


def test_grpc_check_of_something_else_fails() -> None:
    async def run() -> None:
        async with Answering("netexec") as port:
            result = await check(Probe(Grpc(port)), HERE)
            assert not result.ok and result.message.startswith("gRPC probe failed: ")

    asyncio.run(run())


def test_tcp_check() -> None:
    async def run() -> None:
        async with Answering("application") as port:
            assert await check(Probe(TcpSocket(port)), HERE) == OK
        expected = Result(False, "TCP probe failed: connection refused")
        assert await check(Probe(TcpSocket(port)), HERE) == expected

    asyncio.run(run())


def test_a_port_name_that_no_port_has() -> None:
    (probe,) = filter(None, [probes_of({"readinessProbe": {"httpGet": {"port": "web"}}}).readiness])
    assert asyncio.run(check(probe, HERE)) == Result(False, "couldn't find port: web")


def test_a_check_ends_with_its_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        probe = Probe(HttpGet(silent.getsockname()[1]), timeout_s=0.05)
        expected = Result(False, "HTTP probe failed: context deadline exceeded after 0.05s")
        assert asyncio.run(check(probe, HERE)) == expected


def test_garbage_is_no_success() -> None:
    async def run() -> None:
        async with Answering("serve-hostname") as port:
            assert not (await check(Probe(HttpGet(port)), HERE)).ok

    asyncio.run(run())
