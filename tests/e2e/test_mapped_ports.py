"""kind's extraPortMappings: ports of the host that lead to ports of nodes, by real packets; in use; the end."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from urllib.request import ProxyHandler, build_opener

import pytest
from manifests import Object, netexec, pod
from testbeds import CALLER, Testbed, started

from topo.waiting import wait_until

KIND = "kind.x-k8s.io/v1alpha4"
NODE_PORT, UDP_NODE_PORT, HOST_PORT, REFUSED = 30080, 30081, 80, 9999
PATIENCE_S = 20.0
MACHINE_LACKS_SOMETHING = 3


def cluster(*mappings: Object) -> Object:
    return {"kind": "Cluster", "apiVersion": KIND, "nodes": [{"role": "control-plane", "extraPortMappings": list(mappings)}]}


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """A pod with a host port and behind node ports, TCP and UDP."""
    container = netexec()
    container["args"] = ["netexec", "--http-port=8080", "--udp-port=8081"]
    container["ports"] = [{"containerPort": 8080, "hostPort": HOST_PORT}]
    web = pod("web", container)
    web["metadata"]["labels"] = {"app": "web"}
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [
            {"name": "http", "port": 80, "targetPort": 8080, "nodePort": NODE_PORT},
            {"name": "udp", "port": 81, "targetPort": 8081, "nodePort": UDP_NODE_PORT, "protocol": "UDP"},
        ]},
    }  # fmt: skip
    mapped = [
        {"containerPort": NODE_PORT}, {"containerPort": HOST_PORT, "listenAddress": "127.0.0.1"},
        {"containerPort": UDP_NODE_PORT, "protocol": "UDP"}, {"containerPort": REFUSED},
    ]  # fmt: skip
    with started(cluster(*mapped), web, service) as running:
        yield running


def host_port(testbed: Testbed, container_port: int) -> int:
    """The port of this machine that `up` told of."""
    found = re.search(rf"^127\.0\.0\.1:(\d+) \(\w+\) leads to port {container_port} of node", testbed.started.stderr, re.M)
    assert found, str(testbed.started)
    return int(found[1])


def asked(port: int) -> str:
    with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/hostname", timeout=5) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize("container_port", [NODE_PORT, HOST_PORT])
def test_a_port_of_this_machine_leads_to_a_nodes(testbed: Testbed, container_port: int) -> None:
    assert asked(host_port(testbed, container_port)) == "web"


def test_datagrams_too(testbed: Testbed) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        for _ in range(2):
            client.sendto(b"hostname", ("127.0.0.1", host_port(testbed, UDP_NODE_PORT)))
            assert client.recv(100) == b"web"


def test_what_the_node_refuses_is_reset(testbed: Testbed) -> None:
    port = host_port(testbed, REFUSED)
    with pytest.raises(ConnectionResetError), socket.create_connection(("127.0.0.1", port), 5) as client:
        client.recv(100)


def test_it_outlives_its_process(testbed: Testbed) -> None:
    old = testbed.kill("topo.port_mappings")
    testbed.wait_for_restart("topo.port_mappings", old)
    assert asked(host_port(testbed, NODE_PORT)) == "web"


def test_a_port_in_use_is_told_before_anything_starts_and_is_free_at_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with started(cluster({"containerPort": 80, "hostPort": port}), expect=MACHINE_LACKS_SOMETHING) as refused:
            said = f"port 80 of node control-plane cannot be at 127.0.0.1 TCP port {port} of this machine: Address already in use"
            assert said in refused.started.stderr
            assert refused.name not in CALLER.mininetes("list", "-o", "json").output
    with (
        started(cluster({"containerPort": 80, "hostPort": port})),
        pytest.raises(OSError, match="in use"),
        socket.create_server(("127.0.0.1", port)),
    ):
        raise AssertionError("it is the testbed's")

    def is_free() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    wait_until(is_free, PATIENCE_S, f"port {port} free")
