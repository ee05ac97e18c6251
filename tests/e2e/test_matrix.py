"""Every pod and node reaches every pod, with the addresses that Kubernetes promises (its network model)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from manifests import HTTP_PORT, cluster, daemon_set, netexec, pod, tools
from testbeds import PATIENCE_S, Pod, Testbed, started

TOPOLOGIES: dict[str, dict[str, Any]] = {
    "star": {"topology": "star"},
    "leaf-spine": {"topology": "leaf-spine", "leaves": 2, "spines": 2},
}
KINDS = [
    *((mode, topology, family, "auto") for mode, topology, family in product(
        ("overlay", "direct"), TOPOLOGIES, ("ipv4", "ipv6", "dual"))),
    *((mode, "star", "dual", attachment) for mode, attachment in product(("overlay", "direct"), ("veth", "macvlan"))),
]  # fmt: skip


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def network(request: pytest.FixtureRequest) -> Iterator[Testbed]:
    """Two pods on each of three workers, of every kind of network."""
    mode, topology, family, attachment = request.param
    document = cluster(
        workers=3, ip_family=family, network={"mode": mode, "attachment": attachment}, underlay=TOPOLOGIES[topology]
    )
    with started(document, daemon_set("red", netexec()), daemon_set("blue", netexec())) as testbed:
        yield testbed


def client_ips(testbed: Testbed, asking: Pod, asked: Pod) -> list[str]:
    """What /clientip answers, for each address of the asked pod."""
    urls = [f"http://{f'[{ip}]' if ':' in ip else ip}:{HTTP_PORT}/clientip" for ip in asked.ips]
    done = testbed.exec(asking.target, "curl", "-sS", "--max-time", "20", "-w", "\n", *urls)
    return [line.rpartition(":")[0].strip("[]") for line in done.output.split()]


def test_everybody_reaches_everybody(network: Testbed) -> None:
    done = network.mininetes("matrix", "--with-nodes", "--expect-full", "--timeout", "5")
    assert done.status == 0, str(done)


def test_a_pod_is_seen_with_its_own_address_on_its_node(network: Testbed) -> None:
    asking = network.pods_of("red")[0]
    asked = next(each for each in network.pods_of("blue") if each.node == asking.node)
    assert client_ips(network, asking, asked) == asking.ips


def test_a_pod_is_seen_with_its_own_address_across_nodes(network: Testbed) -> None:
    asking = network.pods_of("red")[0]
    for asked in (each for each in network.pods_of("blue") if each.node != asking.node):
        assert client_ips(network, asking, asked) == asking.ips


@pytest.fixture(scope="module")
def special() -> Iterator[Testbed]:
    """A pod of two containers, a pod of the host network, and one to ask from."""
    host = pod("host", netexec(port=9000), hostNetwork=True, nodeName="worker")
    pair = pod("pair", netexec(), tools(), nodeName="worker")
    with started(cluster(clients=1), host, pair, pod("other", tools(), nodeName="worker2")) as testbed:
        yield testbed


def test_a_container_reaches_its_pods_other_container_on_localhost(special: Testbed) -> None:
    url = f"http://localhost:{HTTP_PORT}/hostname"
    done = special.exec("pair", "curl", "-sS", "--max-time", "20", url, container="tools")
    assert done.output == "pair"


def test_a_node_reaches_its_own_pods(special: Testbed) -> None:
    address = special.pods()["pair"].ips[0]
    done = special.exec("node/worker", "curl", "-sS", "--max-time", "20", f"http://{address}:{HTTP_PORT}/hostname")
    assert done.output == "pair"


def test_a_host_network_pod_has_its_nodes_address(special: Testbed) -> None:
    nodes = {node["name"]: node for node in special.status()["nodes"]}
    assert special.pods()["host"].ips == nodes["worker"]["ips"]


@pytest.mark.parametrize("asking", ["pair", "other", "host", "node/worker", "node/worker2", "client/client1"])
def test_a_host_network_pod_is_reached_at_its_nodes_address(special: Testbed, asking: str) -> None:
    address = special.pods()["host"].ips[0]
    done = special.exec(asking, "curl", "-sS", "--max-time", "20", f"http://{address}:9000/hostname")
    assert done.output == "worker"


def test_the_matrix_as_json_has_one_entry_for_each_pair(special: Testbed) -> None:
    tables = json.loads(special.mininetes("matrix", "-o", "json").output)["tables"]
    pods = {f"default/{name}" for name in special.pods()}
    assert {table: {source: set(row) for source, row in rows.items()} for table, rows in tables.items()} == {
        "any": {source: pods for source in pods}
    }


def test_a_covering_matrix_has_every_node_towards_every_node(special: Testbed) -> None:
    table = json.loads(special.mininetes("matrix", "--cover", "-o", "json").output)["tables"]["any"]
    node = {f"default/{name}": pod.node for name, pod in special.pods().items()}
    pairs = {(node[source], node[target]) for source, row in table.items() for target in row}
    assert pairs == set(product(set(node.values()), repeat=2))


def test_a_matrix_asks_by_new_connections(special: Testbed) -> None:
    """Established ones outlive a policy, and an echo or a datagram counts as one for a minute if nothing tells them apart."""

    def reached() -> bool:
        tables = json.loads(special.mininetes("matrix", "-o", "json").output)["tables"]
        return bool(tables["any"]["default/pair"]["default/other"])

    metadata = {"name": "shut", "namespace": "default"}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata,
              "spec": {"podSelector": {}}}  # fmt: skip
    assert reached()
    special.client.apply([policy])
    special.client.sync(PATIENCE_S)
    assert not reached()
    special.client.delete("NetworkPolicy", "default", "shut")
    special.client.sync(PATIENCE_S)
    assert reached()


def test_containers_that_declare_one_port_are_refused() -> None:
    with started(cluster(), pod("clash", netexec("first"), netexec("second")), expect=2) as refused:
        assert str(HTTP_PORT) in refused.started.stderr
        assert "clash" in refused.started.stderr


def test_containers_that_want_one_port_undeclared_are_told_when_they_run() -> None:
    first, second = netexec("first", declared=False), netexec("second", declared=False)
    with started(cluster(), pod("clash", first, second), expect=1, timeout_s=4) as running:
        reason = next(line for line in running.started.stderr.splitlines() if line.strip().startswith("Pod "))
        assert "default/clash" in reason
        assert f"port {HTTP_PORT}" in running.started.stderr, str(running.started)
