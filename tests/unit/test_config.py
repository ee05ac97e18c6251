"""The cluster document: its defaults, the addresses that follow from it, its fields."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from cluster.problems import SpecError
from cluster.reading import config
from cluster.reading.config import DEFAULT_DOCUMENT, resolve

OURS: dict[str, Any] = {"apiVersion": "mininetes.dev/v1alpha1", "kind": "Cluster"}
KIND: dict[str, Any] = {"apiVersion": "kind.x-k8s.io/v1alpha4", "kind": "Cluster"}


def test_the_default_is_one_control_plane_and_two_workers() -> None:
    cluster = resolve(DEFAULT_DOCUMENT)
    assert [(node.name, node.role) for node in cluster.nodes] == [
        ("control-plane", "control-plane"),
        ("worker", "worker"),
        ("worker2", "worker"),
    ]
    assert cluster.underlay.topology == "star"
    assert resolve(OURS) == cluster


def test_kinds_own_default_is_one_node() -> None:
    assert [node.name for node in resolve(KIND).nodes] == ["control-plane"]


def test_addresses_derive_from_the_node_number() -> None:
    worker = resolve(DEFAULT_DOCUMENT).node_by_name["worker"]
    assert worker.addresses == (ip_address("172.18.0.3"),)
    assert worker.pod_cidrs == (ip_network("10.244.1.0/24"),)


@pytest.mark.parametrize(("family", "versions"), [("ipv4", [4]), ("ipv6", [6]), ("dual", [4, 6])])
def test_every_address_has_the_families_of_the_cluster(family: str, versions: list[int]) -> None:
    cluster = resolve({**OURS, "networking": {"ipFamily": family}, "externalClients": 1})
    for held in (
        cluster.pod_subnets,
        cluster.service_subnets,
        cluster.underlay.subnets,
        cluster.nodes[0].addresses,
        cluster.nodes[0].pod_cidrs,
        cluster.clients[0].addresses,
    ):
        assert [part.version for part in held] == versions


def test_dual_ranges_are_ipv4_first_however_written() -> None:
    cluster = resolve({**OURS, "networking": {"ipFamily": "dual", "podSubnet": "fd00:1::/56, 10.1.0.0/16"}})
    assert cluster.pod_subnets == (ip_network("10.1.0.0/16"), ip_network("fd00:1::/56"))


def test_labels_of_a_node() -> None:
    nodes = [{"role": "control-plane"}, {"role": "worker", "zone": "a", "labels": {"disk": "ssd"}}]
    control_plane, worker = resolve({**OURS, "nodes": nodes}).nodes
    assert control_plane.labels["node-role.kubernetes.io/control-plane"] == ""
    assert worker.zone == "a"
    assert worker.labels == {
        "kubernetes.io/hostname": "worker",
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": "a",
        "disk": "ssd",
    }


def test_count_repeats_a_node_and_names_go_on_counting() -> None:
    workers = [{"role": "worker", "count": 2}, {"role": "worker"}]
    nodes = [{"role": "control-plane"}, *workers, {"name": "edge", "count": 2}]
    names = [node.name for node in resolve({**OURS, "nodes": nodes}).nodes]
    assert names == ["control-plane", "worker", "worker2", "worker3", "edge", "edge2"]


def test_a_thousand_nodes_in_a_wide_enough_range() -> None:
    nodes = [{"role": "control-plane"}, {"role": "worker", "count": 999}]
    cluster = resolve({**OURS, "nodes": nodes, "networking": {"podSubnet": "10.0.0.0/12"}})
    assert cluster.nodes[-1].pod_cidrs == (ip_network("10.3.231.0/24"),)
    addresses = [address for node in cluster.nodes for address in node.addresses]
    assert len(set(addresses)) == len(addresses)


def test_network_and_clients() -> None:
    document = {**OURS, "network": {"mode": "direct", "mtu": 9000}, "externalClients": [{"name": "laptop"}]}
    cluster = resolve(document)
    assert (cluster.network.mode, cluster.network.mtu_bytes) == ("direct", 9000)
    assert [(client.name, client.addresses) for client in cluster.clients] == [
        ("laptop", (ip_address("172.18.255.1"),))
    ]


def test_a_wrong_document_is_not_resolved() -> None:
    with pytest.raises(SpecError) as caught:
        resolve({**OURS, "nodes": [], "networking": {"ipFamily": "ipx"}})
    assert [problem.field for problem in caught.value.problems] == ["networking.ipFamily", "nodes"]


def test_same_document_same_cluster() -> None:
    document = {**OURS, "networking": {"ipFamily": "dual"}, "underlay": {"topology": "tree"}, "externalClients": 2}
    assert resolve(document) == resolve(document)


def test_switch_of_a_node_with_a_long_name_may_not_be_another_nodes_name() -> None:
    nodes = [{"name": "a-name-of-more-than-15"}, {"role": "worker", "name": "br1"}]
    (finding,) = config.findings({**OURS, "nodes": nodes})
    assert finding.path == ("nodes", 1, "name")


def test_the_api_server_is_where_the_document_says_as_kind_has_it() -> None:
    cluster = resolve({**KIND, "networking": {"apiServerAddress": "127.0.0.2", "apiServerPort": 6443}})
    assert (cluster.api_server_address, cluster.api_server_port) == ("127.0.0.2", 6443)
    for anywhere in ({}, {"apiServerPort": -1}):
        found = resolve({**KIND, "networking": anywhere})
        assert (found.api_server_address, found.api_server_port) == ("127.0.0.1", 0)


def test_the_encapsulation_and_its_port() -> None:
    assert resolve(OURS).tunnel_port == 4789
    assert resolve({**OURS, "network": {"encapsulation": "geneve"}}).tunnel_port == 6081
    assert resolve({**OURS, "network": {"mode": "direct"}}).tunnel_port is None
