"""The client script that pods find as /agnhost (topo/agnhost.py), run as they run it."""

from __future__ import annotations

import socket
import subprocess
import threading
from pathlib import Path

import pytest

from cluster import go_duration
from topo import agnhost

SCRIPT = Path(agnhost.__file__)


def run(*arguments: str) -> tuple[int, str]:
    """Exit status and standard error."""
    done = subprocess.run(
        ["/usr/bin/python3", "-IS", str(SCRIPT), *arguments], capture_output=True, text=True, timeout=20
    )
    return done.returncode, done.stderr


def closed_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_connects() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        destination = f"127.0.0.1:{server.getsockname()[1]}"
        assert run("connect", destination, "--timeout=5s", "--protocol=tcp") == (0, "")
        assert run("connect", "--timeout", "5s", destination) == (0, "")


def test_connects_over_ipv6() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        assert run("connect", f"[::1]:{server.getsockname()[1]}") == (0, "")


def test_refused() -> None:
    assert run("connect", f"127.0.0.1:{closed_port(socket.SOCK_STREAM)}") == (1, "REFUSED\n")


def test_udp_refused() -> None:
    port = closed_port(socket.SOCK_DGRAM)
    status, error = run("connect", f"127.0.0.1:{port}", "--protocol=udp", "--timeout=5s")
    assert status == 1 and error.startswith("REFUSED: ")


def test_tcp_timeout() -> None:
    # Two connections fill a backlog of 0, and the kernel drops what comes then.
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        assert run("connect", f"127.0.0.1:{server.getsockname()[1]}", "--timeout=200ms") == (1, "TIMEOUT\n")


def test_udp_timeout_and_answer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        destination = f"127.0.0.1:{server.getsockname()[1]}"
        status, error = run("connect", destination, "--protocol=udp", "--timeout=100ms")
        assert status == 1 and error.startswith("TIMEOUT: ")
        assert server.recv(100) == b"hostname\n"

        def answer() -> None:
            data, client = server.recvfrom(100)
            server.sendto(data, client)

        answering = threading.Thread(target=answer)
        answering.start()
        assert run("connect", destination, "--protocol=udp", "--timeout=5s", "--udp-data=hi") == (0, "")
        answering.join()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("connect",), "Error: accepts 1 arg(s), received 0\n"),
        (("connect", "a:1", "b:1"), "Error: accepts 1 arg(s), received 2\n"),
        (("connect", "10.0.0.1"), "UNKNOWN: address 10.0.0.1: missing port in address\n"),
        (("connect", "::1:80"), "UNKNOWN: address ::1:80: too many colons in address\n"),
        (("connect", "a:1", "--protocol=icmp"), "Unsupported protocol\nicmp\n"),
        (("connect", "a:1", "--bogus"), "Error: unknown flag: --bogus\n"),
        (
            ("connect", "a:1", "--timeout=5"),
            'Error: invalid argument "5" for "--timeout" flag: not a duration\n',
        ),
        (("nix",), 'Error: unknown command "nix" for "agnhost" (agnhost --help tells which there are)\n'),
        (
            ("netexec",),
            "agnhost netexec: here a server only as the command of a container whose image is agnhost\n",
        ),
    ],
)
def test_wrong_use(arguments: tuple[str, ...], error: str) -> None:
    assert run(*arguments) == (1, error)


def test_unknown_name() -> None:
    status, error = run("connect", "name.invalid:80")
    assert status == 1 and error.startswith("DNS: ")


def test_help() -> None:
    assert run("--help")[0] == 0
    assert run("connect", "--help")[0] == 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("500ms", 0.5), ("3s", 3), ("1m30s", 90), ("1.5h", 5400), (".5s", 0.5)]
)
def test_durations_are_read_alike_in_both_places(text: str, seconds: float) -> None:
    assert agnhost.duration_s(text) == pytest.approx(seconds)
    assert go_duration.seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "-1s", "1x", "1s2", "1..5s"])
def test_what_is_no_duration(text: str) -> None:
    for read in (agnhost.duration_s, go_duration.seconds):
        with pytest.raises(ValueError):
            read(text)
