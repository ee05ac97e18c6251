"""What policies become: counted, numbered, and found again from scratch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "ovs"))

from specs import model, pod_object, state_of

from controller.compiler import Compiler
from controller.pipeline import CLASSIFIER, CONNTRACK_COMMIT, EGRESS_POLICY, INGRESS_DEFAULT, INGRESS_POLICY
from controller.policy_matches import masked, prefixes
from controller.policy_model import network_policy
from controller.state import Change, apply

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
    state, keys = apply(state, [Change("Pod", "default/s3", changed)])
    compiler.update(state, keys)
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
        state, keys = apply(state, [Change(obj["kind"], f"default/{obj['metadata']['name']}", obj)])
        compiler.update(state, keys)
    scratch = Compiler(state)
    assert {name: table.flows.keys() for name, table in compiler.tables.items()} == {
        name: table.flows.keys() for name, table in scratch.tables.items()
    }


def test_without_policies_nothing_is_left() -> None:
    objects = product(3)
    state = state_of(CLUSTER, *objects)
    compiler = Compiler(state)
    state, keys = apply(state, [Change("NetworkPolicy", "default/p", None)])
    compiler.update(state, keys)
    assert of_policies(compiler) == []
    assert compiler.policies.isolated("default/t0") == frozenset()
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
