"""Ports of the host that lead to ports of nodes: what is opened, and what is passed on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import pytest
import samples

from cluster.model import PortMapping
from cluster.problems import MachineError
from cluster.reading.config import resolve
from topo import port_mappings

KIND = "kind.x-k8s.io/v1alpha4"
TIMEOUT_S = 5.0


def mapped(family: str = "ipv4", **mapping: Any) -> PortMapping:
    document = {
        "kind": "Cluster", "apiVersion": KIND, "networking": {"ipFamily": family},
        "nodes": [{"role": "control-plane", "extraPortMappings": [{"containerPort": 80, **mapping}]}],
    }  # fmt: skip
    (found,) = resolve(document).port_mappings
    return found


def test_what_is_left_out_is_this_machine_only_tcp_and_any_port() -> None:
    assert mapped() == PortMapping("control-plane", 80, ip_address("127.0.0.1"), 0, "TCP")
    assert mapped("ipv6").listen_address == ip_address("::1")
    assert mapped(hostPort=-1).host_port == 0
    asked = mapped(hostPort=8080, listenAddress="0.0.0.0", protocol="UDP")
    assert asked == PortMapping("control-plane", 80, ip_address("0.0.0.0"), 8080, "UDP")


@pytest.mark.parametrize(("protocol", "kind"), [("TCP", socket.SOCK_STREAM), ("UDP", socket.SOCK_DGRAM)])
def test_a_port_that_is_taken_is_told_by_whom_it_is_wanted(protocol: str, kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", 0))
        if protocol == "TCP":
            holder.listen()
        port = holder.getsockname()[1]
        cluster = samples.cluster()
        object.__setattr__(cluster, "port_mappings", (mapped(hostPort=port, protocol=protocol),))
        said = f"port 80 of node control-plane cannot be at 127.0.0.1 {protocol} port {port} of this machine: Address already"
        with pytest.raises(MachineError, match=said), port_mappings.opened(cluster):
            raise AssertionError("must not be opened")


@contextmanager
def no_namespace(name: str) -> Any:
    yield


@pytest.fixture
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The node is 127.0.0.1, and its network is this one."""
    monkeypatch.setattr(port_mappings.namespaces, "visit_pinned", no_namespace)
    node = samples.cluster().nodes[0]
    object.__setattr__(node, "addresses", (ip_address("127.0.0.1"),))
    return node


def passed_on(
    serve: Callable[..., Awaitable[None]], mapping: PortMapping, node: Any, ask: Callable[[tuple[str, int]], object]
) -> object:
    """What `ask`, in a thread, gets at the host's end."""

    async def run() -> object:
        with port_mappings._open(mapping) as listener:
            listener.setblocking(False)
            serving = asyncio.ensure_future(serve(listener, mapping, node))
            try:
                return await asyncio.wait_for(asyncio.to_thread(ask, listener.getsockname()), TIMEOUT_S)
            finally:
                serving.cancel()

    return asyncio.run(run())


def test_tcp_goes_both_ways_and_ends_one_way_at_a_time(on_loopback: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def ask(address: tuple[str, int]) -> object:
            with socket.create_connection(address, TIMEOUT_S) as client:
                client.sendall(b"question")
                client.shutdown(socket.SHUT_WR)
                served, _ = server.accept()
                with served:
                    heard = b"".join(iter(lambda: served.recv(100), b""))
                    served.sendall(heard.upper())
                return b"".join(iter(lambda: client.recv(100), b""))

        mapping = mapped(containerPort=server.getsockname()[1])
        assert passed_on(port_mappings._serve_tcp, mapping, on_loopback, ask) == b"QUESTION"


def test_what_a_node_refuses_is_reset(on_loopback: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        unused = server.getsockname()[1]

    def ask(address: tuple[str, int]) -> object:
        # As soon as it is connected, or a moment later.
        with pytest.raises(ConnectionResetError), socket.create_connection(address, TIMEOUT_S) as client:
            client.recv(100)
        return True

    assert passed_on(port_mappings._serve_tcp, mapped(containerPort=unused), on_loopback, ask)


def test_each_udp_client_gets_its_own_answers(on_loopback: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(TIMEOUT_S)

        def ask(address: tuple[str, int]) -> object:
            clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
            heard = []
            for number, client in enumerate(clients):
                client.settimeout(TIMEOUT_S)
                client.sendto(b"from %d" % number, address)
                heard.append(server.recvfrom(100))
            for data, back in reversed(heard):
                server.sendto(data.upper(), back)
            answers = [client.recv(100) for client in clients]
            for client in clients:
                client.close()
            return answers

        mapping = mapped(containerPort=server.getsockname()[1], protocol="UDP")
        assert passed_on(port_mappings._serve_udp, mapping, on_loopback, ask) == [b"FROM 0", b"FROM 1"]
