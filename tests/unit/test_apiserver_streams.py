"""log, exec and proxy: what the API server asks of the kubelet, and how bytes pass through it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import samples
from https import Https, serving_https

PODS = "/api/v1/namespaces/default/pods"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X_Stream_Protocol_Version": "v4.channel.k8s.io"}

Behave = Callable[[socket.socket, bytes], None]


class FakeKubelet:
    """Answers each connection as `behave` says; keeps the heads of all requests."""

    def __init__(self, path: Path) -> None:
        self.heads: list[str] = []
        self.behave: Behave = answering("200 OK", b"")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection:
            head, early = read_head(connection)
            self.heads.append(head)
            self.behave(connection, early)


def read_head(connection: socket.socket) -> tuple[str, bytes]:
    content = b""
    while b"\r\n\r\n" not in content:
        part = connection.recv(1 << 16)
        if not part:
            raise EOFError("no head of a request")
        content += part
    head, _, early = content.partition(b"\r\n\r\n")
    return head.decode(), early


def upgrade(server: Https, method: str, path: str) -> bytes:
    """A request for an upgrade."""
    headers = f"Host: x\r\nAuthorization: Bearer {server.token}\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
    return f"{method} {path} HTTP/1.1\r\n{headers}Content-Length: 0\r\n\r\n".encode()


def answering(status: str, body: bytes) -> Behave:
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n"
    return lambda connection, _: connection.sendall(head.encode() + body)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Https]:
    one = samples.pod("one", nodeName="worker")
    two = samples.pod("two", nodeName="worker", containers=[{"name": name, "image": "x"} for name in "ab"])
    nowhere = samples.pod("nowhere", nodeSelector={"disk": "ssd"})
    with serving_https(tmp_path_factory.mktemp("run"), [one, two, nowhere]) as https:
        yield https


@pytest.fixture(scope="module")
def module_kubelet(server: Https) -> FakeKubelet:
    return FakeKubelet(server.run / "kubelet.sock")


@pytest.fixture
def kubelet(module_kubelet: FakeKubelet) -> FakeKubelet:
    module_kubelet.heads.clear()
    return module_kubelet


def test_a_log(server: Https, kubelet: FakeKubelet) -> None:
    kubelet.behave = answering("200 OK", b"line\n")
    answer = server.ask("GET", f"{PODS}/one/log?tailLines=3&timestamps=true&pretty=x")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "text/plain", b"line\n")
    assert kubelet.heads[0].startswith("GET /containerLogs/default/one/main?tailLines=3&timestamps=true HTTP/1.1")


def test_a_log_that_is_followed_comes_as_it_is_written(server: Https, kubelet: FakeKubelet) -> None:
    written, ended = threading.Event(), threading.Event()

    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\na\n\r\n")
        written.wait(10)
        connection.sendall(b"2\r\nb\n\r\n")
        ended.wait(10)

    kubelet.behave = behave
    response = server.open("GET", f"{PODS}/one/log?follow=true")
    assert response.readline() == b"a\n"
    written.set()
    assert response.readline() == b"b\n"
    response.close()
    ended.set()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("two/log", "a container name must be specified for pod two, choose one of: [a b]"),
        ("two/log?container=c", "container c is not valid for pod two"),
        ("nowhere/log", "pod nowhere does not have a host assigned"),
        ("one/exec", "you must specify at least 1 command"),
        ("one/exec?command=ls", "Upgrade request required"),
        ("one/attach", "Upgrade request required"),
    ],
)
def test_what_is_refused_without_the_kubelet(server: Https, kubelet: FakeKubelet, path: str, message: str) -> None:
    answer = server.ask("GET", f"{PODS}/{path}")
    assert (answer.status, answer.json["message"]) == (400, message)
    assert kubelet.heads == []


@pytest.mark.parametrize("method", ["PATCH", "PUT", "POST", "DELETE"])
def test_a_log_is_only_read(server: Https, kubelet: FakeKubelet, method: str) -> None:
    answer = server.ask(method, f"{PODS}/one/log", {})
    assert (answer.status, answer.json["reason"]) == (405, "MethodNotAllowed")
    assert kubelet.heads == []


def test_what_the_kubelet_refuses(server: Https, kubelet: FakeKubelet) -> None:
    kubelet.behave = answering("400 Bad Request", b'container "main" is waiting to start')
    answer = server.ask("GET", f"{PODS}/one/log")
    assert (answer.status, answer.json["reason"]) == (400, "BadRequest")
    assert answer.json["message"] == 'container "main" is waiting to start'
    assert server.ask("GET", f"{PODS}/one/exec?command=ls", **UPGRADE).json["reason"] == "BadRequest"


def test_an_exec_becomes_a_tunnel(server: Https, kubelet: FakeKubelet) -> None:
    def behave(connection: socket.socket, early: bytes) -> None:
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nX-Mine: 1\r\n\r\nhello ")
        while data := connection.recv(1 << 16):
            connection.sendall(data.upper())
            if b"end" in data:
                return

    kubelet.behave = behave
    path = f"{PODS}/two/exec?command=ls&command=-l%20x&container=b&stdin=true&stdout=true&tty=false"
    big = b"x" * 1_000_000

    async def talk() -> tuple[str, bytes]:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, ssl=server.context(), server_hostname="localhost"
        )
        writer.write(upgrade(server, "POST", path) + b"early ")
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(big + b"end")
        received = await reader.read()
        writer.close()
        return head.decode(), received

    head, received = asyncio.run(asyncio.wait_for(talk(), 10))
    assert head.splitlines()[0] == "HTTP/1.1 101 Switching Protocols"
    assert "X-Mine: 1" in head
    assert received == b"hello EARLY " + big.upper() + b"END"
    asked = kubelet.heads[0]
    assert asked.startswith("POST /exec/default/two/b?command=ls&command=-l+x&input=1&output=1 HTTP/1.1")
    assert "Bearer" not in asked


def test_a_tunnel_ends_with_its_client(server: Https, kubelet: FakeKubelet) -> None:
    ended = threading.Event()

    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
        connection.recv(1)
        ended.set()

    kubelet.behave = behave
    plain = socket.create_connection(("127.0.0.1", server.port), 10)
    with server.context().wrap_socket(plain, server_hostname="localhost") as client:
        client.sendall(upgrade(server, "GET", f"{PODS}/one/portforward?ports=80"))
        assert read_head(client)[0].splitlines()[0] == "HTTP/1.1 101 Switching Protocols"
    assert ended.wait(10)
    assert kubelet.heads[0].startswith("GET /portForward/default/one?ports=80 HTTP/1.1")


def proxying(body: bytes, seen: list[bytes]) -> Behave:
    """A kubelet that connects to a server which answers with `body`."""

    def behave(connection: socket.socket, early: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        head, rest = read_head(connection)
        while "content-length: 4" in head.lower() and len(rest) < 4:
            rest += connection.recv(4)
        seen.append(head.encode() + b"\n" + rest)
        answering("203 Fine", body)(connection, b"")

    return behave


def test_a_proxy_to_a_pod(server: Https, kubelet: FakeKubelet) -> None:
    seen: list[bytes] = []
    kubelet.behave = proxying(b"page", seen)
    answer = server.ask("GET", f"{PODS}/one:8080/proxy/a%20b?q=1")
    assert (answer.status, answer.body) == (203, b"page")
    assert kubelet.heads[0].startswith("CONNECT 10.244.1.")
    assert ":8080 HTTP/1.1" in kubelet.heads[0]
    assert seen[0].startswith(b"GET /a%20b?q=1 HTTP/1.1")
    assert b"Bearer" not in seen[0]


def test_only_a_nodes_port_10250_is_the_kubelets(server: Https, kubelet: FakeKubelet) -> None:
    kubelet.behave = proxying(b"metrics", [])
    assert server.ask("GET", f"{PODS}/one:10250/proxy/metrics").body == b"metrics"
    assert kubelet.heads[0].startswith("CONNECT 10.244.1.")
    kubelet.behave = answering("200 OK", b"ok")
    assert server.ask("GET", "/api/v1/nodes/worker/proxy/healthz").body == b"ok"
    assert kubelet.heads[1].startswith("GET /healthz HTTP/1.1")


def test_a_proxy_with_a_body(server: Https, kubelet: FakeKubelet) -> None:
    seen: list[bytes] = []
    kubelet.behave = proxying(b"", seen)
    assert server.ask("POST", f"{PODS}/one:80/proxy/", "form").status == 203
    assert seen[0].startswith(b"POST / HTTP/1.1")
    assert b"content-length: 4" in seen[0].lower()


def test_an_answer_arrives_though_the_body_was_not_read(server: Https, kubelet: FakeKubelet) -> None:
    def behave(connection: socket.socket, early: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        read_head(connection)
        answering("413 Too Large", b"no more")(connection, b"")

    kubelet.behave = behave
    answer = server.ask("POST", f"{PODS}/one:80/proxy/", "x" * 400_000)
    assert (answer.status, answer.body) == (413, b"no more")


def test_a_backend_may_answer_while_it_reads(server: Https, kubelet: FakeKubelet) -> None:
    size = 3_000_000

    def behave(connection: socket.socket, early: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        _, rest = read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nanswer: ")
        read = len(rest)
        while read < size:
            read += len(connection.recv(1 << 16)) or size
        connection.sendall(str(read).encode())

    kubelet.behave = behave
    assert server.ask("POST", f"{PODS}/one:80/proxy/", "x" * size).body == f"answer: {size}".encode()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{PODS}/one:web/proxy/", 400),
        (f"{PODS}/a:b:c:d/proxy/", 400),
        (f"{PODS}/missing:80/proxy/", 404),
        ("/api/v1/namespaces/kube-system/services/kube-dns:nothing/proxy/", 503),
        ("/api/v1/namespaces/kube-system/services/kube-dns:dns-tcp/proxy/", 503),
    ],
)
def test_a_proxy_to_nowhere(server: Https, kubelet: FakeKubelet, path: str, status: int) -> None:
    answer = server.ask("GET", path)
    assert (answer.status, answer.json["kind"]) == (status, "Status")


def test_a_server_that_does_not_answer(server: Https, kubelet: FakeKubelet) -> None:
    kubelet.behave = answering("502 Bad Gateway", b"connection refused")
    answer = server.ask("GET", f"{PODS}/one:80/proxy/")
    assert (answer.status, answer.json["reason"]) == (503, "ServiceUnavailable")
    assert "connection refused" in answer.json["message"]
    kubelet.behave = lambda connection, _: None
    assert server.ask("GET", f"{PODS}/one/log").status == 503
