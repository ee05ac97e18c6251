"""The oracle against the cases, and against single sentences of the API."""

from __future__ import annotations

import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from samples import cluster

sys.path.insert(0, str(Path(__file__).parents[1] / "netpol"))

from cases import QUESTIONS, SHARED, Case, Evolving, base, differences, own_cases, planned, shared_base, shared_cases

from cluster.policy_names import RuleName
from cluster.policy_oracle import Oracle

OWN, GIVEN = list(own_cases()), list(shared_cases())


def run(case: Case, objects: list[Any]) -> None:
    a_cluster = cluster()
    evolving = Evolving(planned(a_cluster, objects), a_cluster)
    for step in case.steps:
        evolving.do(step.actions)
        found = Oracle(evolving.objects.values()).tables(QUESTIONS)
        wrong = differences(step.expected(evolving.objects.values()), found)
        assert not wrong, f"{step.name}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("case", OWN, ids=lambda case: case.id)
def test_own_case(case: Case) -> None:
    run(case, base())


@pytest.mark.skipif(not GIVEN, reason=f"there are no cases in {SHARED}")
@pytest.mark.parametrize("case", GIVEN, ids=lambda case: case.id)
def test_given_case(case: Case) -> None:
    run(case, shared_base())


def policy(name: str = "p", namespace: str = "default", **spec: Any) -> Any:
    return {
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": {}, **spec},
    }


def pod(name: str, ip: str = "10.0.0.1", node: str = "worker", **spec: Any) -> Any:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {"nodeName": node, "containers": [], **spec},
        "status": {"podIPs": [{"ip": ip}]},
    }


def test_a_verdict_names_what_isolates_and_what_allows() -> None:
    rules = [{"ports": [{"port": 1}]}, {"ports": [{"port": 80}]}]
    oracle = Oracle([pod("a"), pod("b"), policy("deny"), policy("allow", ingress=rules)])
    verdict = oracle.verdict("default/a", "default/b", "TCP", 80)
    assert verdict.allowed
    assert verdict.ingress.isolated_by == ("default/allow", "default/deny")
    assert verdict.ingress.rule == RuleName("default/allow", "ingress", 1)
    assert verdict.egress.isolated_by == ()
    denied = oracle.verdict("default/a", "default/b", "UDP", 80)
    assert not denied.allowed and denied.ingress.rule is None


def test_a_pods_own_node_reaches_it_and_is_reached() -> None:
    own, other = ip_address("172.18.0.2"), ip_address("172.18.0.3")
    deny = policy(policyTypes=["Ingress", "Egress"])
    oracle = Oracle([pod("a"), deny], {"worker": [own], "worker2": [other]})
    assert oracle.verdict(own, "default/a", "TCP", 80).allowed
    assert oracle.verdict("default/a", own, "TCP", 80).allowed
    assert not oracle.verdict(other, "default/a", "TCP", 80).allowed
    assert not oracle.verdict("default/a", other, "TCP", 80).allowed


def test_an_address_outside_is_a_peer_by_its_block() -> None:
    block = {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.8/29"]}}
    oracle = Oracle([pod("a"), policy(ingress=[{"from": [block]}])])
    assert oracle.verdict(ip_address("192.0.2.1"), "default/a", "TCP", 80).allowed
    assert not oracle.verdict(ip_address("192.0.2.9"), "default/a", "TCP", 80).allowed
    assert not oracle.verdict(ip_address("198.51.100.1"), "default/a", "TCP", 80).allowed


def test_a_block_of_one_family_says_nothing_of_the_other() -> None:
    both = pod("a")
    both["status"]["podIPs"].append({"ip": "fd00::1"})
    oracle = Oracle([both, pod("b"), policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}])])
    assert oracle.verdict("default/a", "default/b", "TCP", 80, 4).allowed
    assert not oracle.verdict("default/a", "default/b", "TCP", 80, 6).allowed


def test_pods_of_the_hosts_network_are_nobodys_subject() -> None:
    assert "default/h" not in Oracle([pod("h", hostNetwork=True)]).pods
