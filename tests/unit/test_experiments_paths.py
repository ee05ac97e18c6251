"""Which pods `perf` measures when nobody names any."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from cluster.problems import NoTestbedError
from experiments import paths
from experiments.testbed import Inventory, Machine, parse_status


def machine(target: str, node: str, *addresses: str) -> Machine:
    return Machine(target, node, tuple(ip_address(text) for text in addresses))


NODES = (machine("node/one", "one", "172.18.0.2"), machine("node/two", "two", "172.18.0.3"))
A, B = machine("default/a", "one", "10.0.0.2", "fd00::2"), machine("default/b", "one", "10.0.0.3")
C = machine("shop/c", "two", "10.0.1.2", "fd00::3")
DNS, ON_HOST = machine("kube-system/dns", "one", "10.0.0.9"), machine("default/on-host", "two", "172.18.0.3")
ALL = Inventory(NODES, (DNS, ON_HOST, A, B, C))


def test_a_quick_look_is_one_pair_on_a_node_and_one_across() -> None:
    assert paths.quick_look(ALL, None) == [paths.Path(A, B), paths.Path(A, C)]


def test_a_quick_look_keeps_to_an_ip_version() -> None:
    assert paths.quick_look(ALL, 6) == [paths.Path(A, C)]


def test_nothing_to_look_at() -> None:
    with pytest.raises(NoTestbedError, match="two running pods"):
        paths.quick_look(Inventory(NODES, (A,)), None)


def test_targets_are_named_as_for_exec() -> None:
    path = paths.named(ALL, "a", "node/two")
    assert (path.client, path.server, path.kind) == (A, NODES[1], "cross-node")
    assert paths.named(ALL, "client/outside", "shop/c").client.target == "client/outside"


def test_an_unknown_target_says_what_there_is() -> None:
    with pytest.raises(NoTestbedError, match=r"no pod or node 'nope'.*have: node/one, node/two"):
        paths.named(ALL, "a", "nope")


def test_no_address_of_that_version() -> None:
    with pytest.raises(NoTestbedError, match="default/b has no IPv6 address"):
        B.address(6)


def test_status_json_without_what_has_no_address() -> None:
    status = {
        "nodes": [{"name": "one", "role": "worker", "ips": ["172.18.0.2"], "pod_cidrs": []}],
        "pods": [
            {"namespace": "shop", "name": "c", "node": "one", "ips": ["10.0.1.2"], "phase": "Running", "ready": True},
            {"namespace": "shop", "name": "d", "node": None, "ips": [], "phase": "Pending", "ready": False},
        ],
    }
    assert parse_status(status) == Inventory((NODES[0],), (machine("shop/c", "one", "10.0.1.2"),))
