"""What policies become: counted, numbered, and found again from scratch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "ovs"))

import pytest
from specs import model, pod_object

from controller.compiler import Compiler
from controller.pipeline import CLASSIFIER, CONNTRACK_COMMIT, EGRESS_POLICY, INGRESS_DEFAULT, INGRESS_POLICY
from controller.policy_matches import masked, prefixes
from controller.policy_model import network_policy
from controller.state import Change, apply, state_of

CLUSTER = model(nodes=2)


def labelled(name: str, node: int, number: int, **labels: str) -> Any:
    pod = pod_object(CLUSTER, name, node, number)
    pod["metadata"]["labels"] = labels
    pod["spec"]["containers"] = [{"name": "main", "ports": [{"name": "http", "containerPort": 8000 + number}]}]
    return pod


def policy(name: str = "p", **spec: Any) -> Any:
    return {
        "kind": "NetworkPolicy",
        "metadata": {"namespace": "default", "name": name},
        "spec": {"podSelector": {}, **spec},
    }


def product(ports: int) -> list[Any]:
    sources = [labelled(f"s{number}", 1, 2 + number, role="s") for number in range(20)]
    targets = [labelled(f"t{number}", 1, 50 + number, role="t") for number in range(30)]
    rule = {
        "from": [{"podSelector": {"matchLabels": {"role": "s"}}}],
        "ports": [{"port": 100 + port} for port in range(ports)],
    }
    return [*sources, *targets, policy(podSelector={"matchLabels": {"role": "t"}}, ingress=[rule])]


def of_policies(compiler: Compiler, node: str = "control-plane") -> list[Any]:
    return [flow for flow in compiler.tables[node] if flow.owner.startswith("NetworkPolicy")]


def test_a_rule_costs_the_sum_of_its_dimensions_and_not_their_product() -> None:
    flows = of_policies(Compiler(state_of(CLUSTER, *product(10))))
    assert len(flows) == 20 + 30 + 10 + 1


def test_a_rule_is_only_where_it_has_a_subject() -> None:
    assert of_policies(Compiler(state_of(CLUSTER, *product(10))), "worker") == []


def test_a_changed_pod_changes_its_own_flows_only() -> None:
    state = state_of(CLUSTER, *product(2))
    compiler = Compiler(state)
    before = set(compiler.tables["control-plane"].flows)
    changed = labelled("s3", 1, 5, role="other")
    compiler.update(state, apply(state, [Change("Pod", "default/s3", changed)]))
    gone = before - set(compiler.tables["control-plane"].flows)
    came = {key: flow for key, flow in compiler.tables["control-plane"].flows.items() if key not in before}
    # Its clause as a peer goes, and the node's policies are another generation.
    assert len([key for key in gone if key[0] != 0]) == 1
    assert {flow.table for flow in came.values()} == {CLASSIFIER}


def test_from_scratch_gives_the_same() -> None:
    objects = product(3)
    compiler = Compiler(state_of(CLUSTER))
    state = state_of(CLUSTER)
    for obj in objects:
        compiler.update(state, apply(state, [Change(obj["kind"], f"default/{obj['metadata']['name']}", obj)]))
    scratch = Compiler(state)
    assert {name: table.flows.keys() for name, table in compiler.tables.items()} == {
        name: table.flows.keys() for name, table in scratch.tables.items()
    }


@pytest.mark.parametrize(("direction", "peers"), [("ingress", "from"), ("egress", "to")])
def test_named_ports_of_pods_that_come_and_go_leave_what_scratch_gives(direction: str, peers: str) -> None:
    """Each pod has another number by the name; the last with a number takes what that number was for with it."""
    rule = {peers: [{"podSelector": {"matchLabels": {"role": "p"}}}], "ports": [{"port": "http"}]}
    named = policy(podSelector={"matchLabels": {"role": "s"}}, policyTypes=["Ingress", "Egress"], **{direction: [rule]})
    steps: list[tuple[str, Any]] = [
        ("p", named), ("s1", labelled("s1", 1, 2, role="s")), ("p1", labelled("p1", 1, 3, role="p")),
        ("p2", labelled("p2", 2, 4, role="p")), ("s2", labelled("s2", 2, 5, role="s")),
        ("p2", labelled("p2", 2, 4, role="none")), ("p1", None), ("s1", None), ("s2", None),
    ]  # fmt: skip
    state = state_of(CLUSTER)
    compiler = Compiler(state)
    for name, obj in steps:
        kind = "NetworkPolicy" if name == "p" else "Pod"
        compiler.update(state, apply(state, [Change(kind, f"default/{name}", obj)]))
        scratch = Compiler(state)
        for node, table in compiler.tables.items():
            assert table.flows.keys() == scratch.tables[node].flows.keys(), f"{name} on {node}"


def test_a_named_port_of_an_egress_rule_is_the_peers_and_not_the_subjects() -> None:
    pods = [labelled("a", 1, 2, app="a"), labelled("b", 1, 3, app="b")]
    rule = {"to": [{"podSelector": {"matchLabels": {"app": "b"}}}], "ports": [{"port": "http"}]}
    named = policy(podSelector={"matchLabels": {"app": "a"}}, policyTypes=["Egress"], egress=[rule])
    flows = of_policies(Compiler(state_of(CLUSTER, *pods, named)))
    assert sum("tcp_dst=8003" in str(flow) for flow in flows) == 1
    assert not any("tcp_dst=8002" in str(flow) for flow in flows)


def test_a_named_port_of_an_egress_rule_for_everybody_is_open_only_where_pods_have_it() -> None:
    pods = [labelled("a", 1, 2), labelled("b", 2, 3)]
    named = policy(policyTypes=["Egress"], egress=[{"ports": [{"port": "http"}]}])
    flows = of_policies(Compiler(state_of(CLUSTER, *pods, named)))
    matches = [str(flow) for flow in flows]
    for pod in pods:
        address = pod["status"]["podIPs"][0]["ip"]
        assert sum(f"_dst={address}," in match for match in matches) == 1, matches


def test_a_rule_is_still_named_on_one_node_when_another_has_no_subject_any_more() -> None:
    """The nodes' flows are the same object."""
    state = state_of(CLUSTER, labelled("a", 1, 2), labelled("b", 2, 3), policy(ingress=[{"ports": [{"port": 80}]}]))
    compiler = Compiler(state)
    compiler.update(state, apply(state, [Change("Pod", "default/b", None)]))
    named = [
        str(name)
        for flow in compiler.tables["control-plane"]
        for name in compiler.policies.rules_behind("control-plane", flow)
    ]
    assert named == ["NetworkPolicy default/p: spec.ingress[0]"]


def test_without_policies_nothing_is_left() -> None:
    objects = product(3)
    state = state_of(CLUSTER, *objects)
    compiler = Compiler(state)
    compiler.update(state, apply(state, [Change("NetworkPolicy", "default/p", None)]))
    assert of_policies(compiler) == []
    assert compiler.policies.isolated(state.pods["default/t0"]) == frozenset()
    assert compiler.policies.generations.of("control-plane") == 0


def test_another_content_is_another_conjunction() -> None:
    peers = [[{"podSelector": {"matchLabels": {"role": role}}}] for role in ("s", "t")]
    numbers = []
    for peer in peers:
        rule = {"from": peer, "ports": [{"port": 80}]}
        compiler = Compiler(state_of(CLUSTER, *product(1)[:-1], policy(ingress=[rule])))
        numbers.append(set(compiler.policies.rules))
    assert not numbers[0] & numbers[1]


def test_a_named_port_is_split_by_the_number_that_it_has_in_each_pod() -> None:
    pods = [labelled("a", 1, 2, app="a"), labelled("b", 1, 3, app="b")]
    compiler = Compiler(state_of(CLUSTER, *pods, policy(ingress=[{"ports": [{"port": "http"}]}])))
    ports = {str(flow.match[-1]) for flow in of_policies(compiler) if "tcp_dst" in str(flow)}
    assert ports == {"tcp_dst=8002", "tcp_dst=8003"}
    assert len(compiler.policies.rules) == 2


def test_a_rule_of_one_dimension_allows_by_itself() -> None:
    compiler = Compiler(state_of(CLUSTER, labelled("a", 1, 2), policy(ingress=[{}], egress=[{}])))
    assert {(flow.table, str(flow.actions[0])[:10]) for flow in of_policies(compiler)} == {
        (INGRESS_POLICY, "goto_table"),
        (EGRESS_POLICY, "goto_table"),
    }


def test_what_passes_is_committed_behind_the_policies() -> None:
    order = [flow.table for flow in Compiler(state_of(CLUSTER)).tables["worker"]]
    assert INGRESS_DEFAULT in order and CONNTRACK_COMMIT in order


def test_ranges_of_ports_as_masks() -> None:
    for first, last in ((1, 65535), (80, 80), (79, 81), (1000, 1999), (0, 65535)):
        found = sorted(port for value, mask in masked(first, last) for port in range(value, value + 0x10000 - mask))
        assert found == list(range(first, last + 1))


def test_a_block_without_its_exceptions() -> None:
    spec = {"cidr": "10.0.0.0/24", "except": ["10.0.0.0/25", "10.0.0.192/26"]}
    made = network_policy(policy(ingress=[{"from": [{"ipBlock": spec}]}]))
    assert made.ingress is not None and made.ingress[0].peers is not None
    (block,) = made.ingress[0].peers
    assert [str(network) for network in prefixes(block)] == ["10.0.0.128/26"]  # type: ignore[arg-type]
