"""The kubelet's server: logs, exec, attach and port-forward over both kinds of connection, and what it refuses."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from kubelet_client import TIMEOUT_S, Ended, Kubelet, Refused, Spdy, WebSocket
from kubelet_site import Site, serving

from topo.waiting import wait_until


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with serving(tmp_path, monkeypatch) as made:
        made.add("web")
        yield made


@pytest.fixture
def kubelet(site: Site) -> Kubelet:
    return site.kubelet


def exec_target(*command: str, **streams: int) -> str:
    wanted = streams or {"input": 1, "output": 1, "error": 1}
    return f"/exec/default/web/web?{urlencode([('command', word) for word in command] + list(wanted.items()))}"


def shell(script: str, **streams: int) -> str:
    return exec_target("sh", "-c", script, **streams)


def run(kubelet: Kubelet, carrier: str, target: str, stdin: bytes | None = b"") -> Ended:
    if carrier == "spdy":
        return kubelet.spdy(target).run(stdin)
    return kubelet.websocket(target).run(stdin)


both = pytest.mark.parametrize("carrier", ["spdy", "websocket"])


@both
def test_exec_has_three_streams_and_an_exit_status(kubelet: Kubelet, carrier: str) -> None:
    ended = run(kubelet, carrier, shell("cat; echo oops >&2; exit 7"), b"to and fro\n")
    assert (ended.stdout, ended.stderr, ended.exit_code) == (b"to and fro\n", b"oops\n", 7)
    assert ended.status["reason"] == "NonZeroExitCode"


@both
def test_exec_that_succeeds(kubelet: Kubelet, carrier: str) -> None:
    assert run(kubelet, carrier, shell("exit 0")).status["status"] == "Success"


@both
def test_exec_of_a_program_that_is_not_there(kubelet: Kubelet, carrier: str) -> None:
    ended = run(kubelet, carrier, exec_target("no-such-program"))
    assert ended.exit_code == 127
    assert b"no-such-program" in ended.stderr


@both
def test_exec_killed_by_a_signal(kubelet: Kubelet, carrier: str) -> None:
    assert run(kubelet, carrier, shell("kill -9 $$")).exit_code == 137


@both
def test_megabytes_both_ways(kubelet: Kubelet, carrier: str) -> None:
    data = os.urandom(3 << 20)
    if carrier == "spdy":
        connection = kubelet.spdy(exec_target("cat", input=1, output=1))
        error, stdout, stdin = (connection.open(streamtype=name) for name in ("error", "stdout", "stdin"))
        sending = threading.Thread(target=send_all, args=(connection, stdin, data))
        sending.start()
        assert connection.until_end(stdout) == data
        sending.join(TIMEOUT_S)
        assert b"Success" in connection.until_end(error)
        return
    websocket = kubelet.websocket(exec_target("wc", "-c", input=1, output=1))
    for at in range(0, len(data), 1 << 16):
        websocket.send(0, data[at : at + (1 << 16)])
    assert websocket.run(b"").stdout.strip() == str(len(data)).encode()


def send_all(connection: Spdy, stream: int, data: bytes) -> None:
    for at in range(0, len(data), 1 << 15):
        connection.send(stream, data[at : at + (1 << 15)])
    connection.send(stream, b"", fin=True)


def test_a_child_that_holds_the_output_open_holds_up_nothing(kubelet: Kubelet) -> None:
    ended = kubelet.spdy(shell("sleep 60 & echo $!", output=1, error=1)).run()
    assert ended.exit_code == 0
    os.kill(int(ended.stdout), 9)


def test_a_terminal(kubelet: Kubelet) -> None:
    connection = kubelet.spdy(exec_target("sh", input=1, output=1, tty=1))
    error, stdin, stdout, resize = (
        connection.open(streamtype=name) for name in ("error", "stdin", "stdout", "resize")
    )
    connection.send(resize, b'{"Width":99,"Height":33}')
    connection.send(stdin, b"until [ \"$(stty size)\" = '33 99' ]; do :; done; echo si''zed\n")
    connection.until(stdout, b"sized")
    connection.send(stdin, b"exit 3\n")
    connection.until_end(stdout)
    assert b'"message": "3"' in connection.until_end(error)


def test_a_terminal_over_websocket(kubelet: Kubelet) -> None:
    connection = kubelet.websocket(exec_target("cat", stdin=1, stdout=1, tty=1))
    connection.send(0, b"echoed\n")
    connection.until(1, b"echoed\r\nechoed\r\n")
    # Version 5's end of input is the terminal's end-of-file.
    connection.send_raw(bytes([255, 0]))
    while connection.take():
        pass
    assert b"Success" in connection.received[3]


@both
def test_the_process_ends_with_its_connection(kubelet: Kubelet, carrier: str) -> None:
    target = shell("echo $$; exec sleep 60", output=1)
    connection: Spdy | WebSocket
    if carrier == "spdy":
        connection = kubelet.spdy(target)
        connection.open(streamtype="error")
        pid = int(connection.until(connection.open(streamtype="stdout"), b"\n"))
    else:
        connection = kubelet.websocket(target)
        pid = int(connection.until(1, b"\n"))
    connection.connection.close()
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), TIMEOUT_S, "the end of the process")


def test_the_process_ends_with_its_container(site: Site) -> None:
    site.write("web", b"started\n")
    connection = site.kubelet.websocket(shell("echo up; exec sleep 60", stdout=1))
    connection.until(1, b"up")
    site.end("web")
    assert connection.run().exit_code == 137


def test_version_4_of_websocket_channels(kubelet: Kubelet) -> None:
    ended = kubelet.websocket(shell("echo hi", stdout=1, stderr=1), "v4.channel.k8s.io").run()
    assert (ended.stdout, ended.exit_code) == (b"hi\n", 0)


def test_the_first_message_says_that_it_is_connected(kubelet: Kubelet) -> None:
    connection = kubelet.websocket(shell("sleep 60", stdout=1))
    while not connection.received:
        assert connection.take()
    assert connection.received == {1: b""}
    connection.connection.close()


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/exec/default/none/web?command=true", 404),
        ("/exec/default/web/none?command=true", 400),
        ("/exec/default/web/web", 400),
        ("/exec/default/waiting/web?command=true", 404),
        ("/attach/default/waiting/web", 404),
        ("/portForward/default/none", 404),
    ],
)
def test_refusals_come_before_the_switch(site: Site, target: str, status: int) -> None:
    site.add("waiting", {"waiting": {"reason": "CrashLoopBackOff"}})
    with pytest.raises(Refused) as refused:
        site.kubelet.spdy(target)
    assert refused.value.status == status


def test_a_protocol_that_nobody_speaks(kubelet: Kubelet) -> None:
    with pytest.raises(Refused) as refused:
        kubelet.websocket(shell("true", output=1), "v9.channel.k8s.io")
    assert refused.value.status == 403


def test_no_upgrade(kubelet: Kubelet) -> None:
    status, body = kubelet.get(shell("true", output=1))
    assert (status, body) == (400, b"unable to upgrade: missing upgrade headers in request")


def test_logs(site: Site) -> None:
    site.write("web", b"first run\n", run=0)
    site.write("web", b"second run\n", run=1)
    path = "/containerLogs/default/web/web"
    assert site.kubelet.get(path) == (200, b"second run\n")
    assert site.kubelet.get(f"{path}?previous=true") == (200, b"first run\n")


def test_there_is_no_previous_log(site: Site) -> None:
    site.write("web", b"first run\n")
    status, body = site.kubelet.get("/containerLogs/default/web/web?previous=true")
    assert (status, body) == (400, b'previous terminated container "web" in pod "web" not found')


def test_a_container_that_waits_has_no_log(site: Site) -> None:
    site.add("waiting", {"waiting": {"reason": "PodInitializing"}})
    status, body = site.kubelet.get("/containerLogs/default/waiting/web")
    assert (status, body) == (400, b'container "web" in pod "waiting" is waiting to start: PodInitializing')


def test_logs_are_followed_to_the_end(site: Site) -> None:
    site.write("web", b"one\n")
    pieces = site.kubelet.pieces("/containerLogs/default/web/web?follow=true")
    assert next(pieces) == b"one\n"
    site.write("web", b"two\n")
    assert next(pieces) == b"two\n"
    site.end("web")
    assert list(pieces) == []


def test_port_forward(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        connection = site.kubelet.spdy("/portForward/default/web")
        error = connection.open(streamtype="error", port=str(port), requestid="0")
        data = connection.open(streamtype="data", port=str(port), requestid="0")
        connection.send(error, b"", fin=True)
        connection.send(data, b"ping", fin=True)
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(10) == b"ping"
            assert accepted.recv(10) == b""  # half-closed
            accepted.sendall(b"pong")
        assert connection.until_end(data) == b"pong"
        assert connection.until_end(error) == b""


def test_port_forward_to_nobody(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    connection = site.kubelet.spdy("/portForward/default/web")
    error = connection.open(streamtype="error", port=str(port), requestid="0")
    data = connection.open(streamtype="data", port=str(port), requestid="0")
    assert connection.until_end(data) == b""
    told = connection.until_end(error)
    assert told.startswith(b"error forwarding port %d to pod web, uid : uid-web: dial tcp 127.0.0.1" % port)
    assert b"connection refused" in told


def test_port_forward_over_websocket(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        connection = site.kubelet.websocket(f"/portForward/default/web?ports={port}", "v4.channel.k8s.io")
        number = port.to_bytes(2, "little")
        assert connection.until(0, number) == number
        assert connection.until(1, number) == number
        connection.send(0, b"ping")
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(10) == b"ping"
            accepted.sendall(b"pong")
        assert connection.until(0, b"pong") == number + b"pong"
        connection.connection.close()


def test_connect(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection, _ = site.kubelet.switch("CONNECT", f"127.0.0.1:{listener.getsockname()[1]}", {})
        accepted, _ = listener.accept()
        with accepted, connection:
            connection.sendall(b"ping")
            assert accepted.recv(10) == b"ping"
            accepted.sendall(b"pong")
            assert connection.recv(10) == b"pong"
            accepted.close()
            assert connection.recv(10) == b""


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1:1", 502), ("somewhere:80", 400)])
def test_connect_to_nobody(kubelet: Kubelet, host: str, status: int) -> None:
    with pytest.raises(Refused) as refused:
        kubelet.switch("CONNECT", host, {})
    assert refused.value.status == status


def test_what_is_no_http(kubelet: Kubelet) -> None:
    with kubelet.connect() as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
