"""Nothing of a cluster but what is exposed answers a client outside, who has routes to all of its ranges: a scan of nodes,
pods and Services, TCP and UDP, in both modes.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from manifests import Object, cluster, netexec, pod
from testbeds import Testbed, started

SCAN = Path(__file__).with_name("scan.py").read_text()
CLIENT = "client/client1"
EXPOSED, HIDDEN, HOST_PORT = 30080, 30999, 24323
API = 6443
HTTP, UDP = 8080, 8081
PORTS = sorted({
    *(22, 53, 80, 81, 443, 2379, 2380, 4789, 8181, 9153, 9443), *range(10240, 10260),
    *(EXPOSED, EXPOSED + 1, HIDDEN, HOST_PORT, API, HTTP, UDP),
})  # fmt: skip
"""Those of everything that listens somewhere in a cluster, and what else there might be."""
NODE_PORTS = sorted({*PORTS, *range(1, 1025), *range(30000, 32768)})
"""Of nodes, which refuse at once: also all well-known ports and all node ports."""
PATIENCE_S = 1.3
"""Enough for a SYN that is sent again."""
SCAN_TIMEOUT_S = 100.0


def service(name: str, **spec: Any) -> Object:
    ports = [
        {"name": "http", "port": 80, "targetPort": HTTP}, {"name": "udp", "port": 81, "targetPort": UDP, "protocol": "UDP"},
    ]  # fmt: skip
    spec = {"selector": {"app": "web"}, "ports": ports, **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def server(name: str, node: str, **port: Any) -> Object:
    container = netexec()
    container["args"] = ["netexec", f"--http-port={HTTP}", f"--udp-port={UDP}"]
    container["ports"] = [{"containerPort": HTTP, **port}]
    made = pod(name, container, nodeName=node)
    made["metadata"]["labels"] = {"app": "web"}
    return made


SLOW = pytest.mark.skipif("MININETES_SLOW" not in os.environ, reason="MININETES_SLOW is not set: half a minute")


@pytest.fixture(scope="module", params=["overlay", pytest.param("direct", marks=SLOW)])
def testbed(request: pytest.FixtureRequest) -> Iterator[Testbed]:
    exposed = service("exposed", type="NodePort")
    for number, port in enumerate(exposed["spec"]["ports"]):
        port["nodePort"] = EXPOSED + number
    spec = [
        cluster(network={"mode": request.param}, clients=1), server("one", "worker"), server("two", "worker2", hostPort=HOST_PORT),
        exposed, service("hidden"), service("balanced", type="LoadBalancer", allocateLoadBalancerNodePorts=False),
    ]  # fmt: skip
    with started(*spec) as running:
        yield running


def scanned(testbed: Testbed, asked: Any) -> set[tuple[str, int, str]]:
    argv = testbed.user.argv("exec", "--name", testbed.name, CLIENT, "--", "python3", "-c", SCAN)
    done = subprocess.run(argv, input=json.dumps(asked), capture_output=True, text=True, timeout=SCAN_TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    return {(host, port, protocol) for host, port, protocol in json.loads(done.stdout)}


def test_nothing_but_what_is_exposed_answers(testbed: Testbed) -> None:
    nodes = {node["name"]: node["ips"][0] for node in testbed.status()["nodes"]}
    pods = [ip for entry in testbed.status()["pods"] for ip in entry["ips"]]
    gateways = [f"10.244.{number}.1" for number in range(3)]
    _, services = testbed.client.objects(["Service"])
    addresses = [each["spec"]["clusterIP"] for each in services]
    (balanced,) = (
        each["status"]["loadBalancer"]["ingress"][0]["ip"] for each in services if each["metadata"]["name"] == "balanced"
    )
    wanted = {(ip, EXPOSED, "tcp") for ip in nodes.values()} | {(ip, EXPOSED + 1, "udp") for ip in nodes.values()}
    wanted |= {(balanced, 80, "tcp"), (balanced, 81, "udp"), (nodes["worker2"], HOST_PORT, "tcp")}
    wanted |= {(nodes["control-plane"], API, "tcp")}
    unused = ["10.244.1.99", "10.96.200.200", "169.254.1.2"]
    inside = [(ip, PORTS) for ip in (*pods, *gateways, *addresses, *unused)]
    every = "MININETES_SLOW" in os.environ
    for via in nodes.values() if every else (nodes["control-plane"], nodes["worker"]):
        for subnet in ("10.244.0.0/16", "10.96.0.0/16", "169.254.1.0/24"):
            assert testbed.exec(CLIENT, "ip", "route", "replace", subnet, "via", via).status == 0
        at_nodes = [(ip, NODE_PORTS) for ip in nodes.values()] if via == nodes["worker"] else []
        targets = [*at_nodes, (balanced, PORTS), *inside]
        found = scanned(testbed, {"tcp": targets, "udp": targets, "patience_s": PATIENCE_S})
        assert found - wanted == set(), f"by {via}"
    exposed = {kind: [(ip, [port]) for ip, port, protocol in wanted if protocol == kind] for kind in ("tcp", "udp")}
    assert scanned(testbed, {**exposed, "patience_s": PATIENCE_S}) == wanted
