"""The scheduler: which node, and why none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import samples
from operations import calls

from cluster.draft import key_of
from cluster.nodes import node_object
from cluster.objects import Object
from cluster.scheduling.scheduler import Placement, place
from cluster.scheduling.seats import Seats

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"


def nodes(workers: int = 2, zones: Sequence[str] = ()) -> list[Object]:
    cluster = samples.cluster(workers)
    made = [node_object(node, cluster, samples.MACHINE) for node in cluster.nodes]
    for node, zone in zip(made[1:], zones, strict=False):
        node["metadata"]["labels"][ZONE] = zone
    return made


def owned(pod: Object, uid: str) -> Object:
    pod["metadata"]["ownerReferences"] = [{"controller": True, "uid": uid, "kind": "ReplicaSet", "name": "rs"}]
    return pod


def near(app: str, key: str = HOSTNAME) -> Object:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key}


def schedule(pods: Sequence[Object], on: Sequence[Object], bound: Sequence[Object]) -> list[Placement]:
    """One after the other, on nodes that hold the `bound` pods."""
    seats = Seats()
    for node in on:
        seats.put_node(node)
    for pod in bound:
        seats.add(key_of(pod), pod)
    placements = []
    for pod in pods:
        placements.append(place(pod, seats))
        if node_name := placements[-1].node:
            seats.add(key_of(pod), {**pod, "spec": {**pod["spec"], "nodeName": node_name}})
    return placements


def placed(pods: Sequence[Object], on: Sequence[Object], bound: Sequence[Object] = ()) -> list[str | None]:
    return [placement.node for placement in schedule(pods, on, bound)]


def message(pod: Object, on: Sequence[Object], bound: Sequence[Object] = ()) -> str:
    (placement,) = schedule([pod], on, bound)
    assert placement.node is None
    return placement.message


def test_pods_spread_over_the_workers_in_node_order() -> None:
    pods = [samples.pod(str(number)) for number in range(5)]
    assert placed(pods, nodes()) == ["worker", "worker2", "worker", "worker2", "worker"]


def test_replicas_spread_even_where_the_nodes_are_not_equally_loaded() -> None:
    bound = [samples.pod(str(number), nodeName="worker") for number in range(5)]
    pods = [owned(samples.pod(f"r{number}"), "rs") for number in range(4)]
    assert Counter(placed(pods, nodes(), bound)) == {"worker": 2, "worker2": 2}


def test_the_emptier_node_wins() -> None:
    bound = [samples.pod("a", nodeName="worker")]
    assert placed([samples.pod("b")], nodes(), bound) == ["worker2"]


def test_a_toleration_opens_the_control_plane() -> None:
    toleration = {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}
    assert placed([samples.pod("a", tolerations=[toleration])], nodes()) == ["control-plane"]


def test_a_node_selector_is_obeyed() -> None:
    assert placed([samples.pod("a", nodeSelector={HOSTNAME: "worker2"})], nodes()) == ["worker2"]


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ({"key": HOSTNAME, "operator": "In", "values": ["worker2"]}, "worker2"),
        ({"key": HOSTNAME, "operator": "NotIn", "values": ["worker", "control-plane"]}, "worker2"),
        ({"key": "disk", "operator": "Exists"}, "worker2"),
        ({"key": "disk", "operator": "DoesNotExist"}, "worker"),
        ({"key": "cores", "operator": "Gt", "values": ["4"]}, "worker2"),
        ({"key": "cores", "operator": "Lt", "values": ["8"]}, None),
    ],
)
def test_required_node_affinity_is_obeyed(expression: Object, chosen: str | None) -> None:
    on = nodes()
    on[2]["metadata"]["labels"] |= {"disk": "ssd", "cores": "8"}
    affinity = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}}
    assert placed([samples.pod("a", affinity=affinity)], on) == [chosen]


def test_preferred_node_affinity_outweighs_load() -> None:
    expression = {"key": HOSTNAME, "operator": "In", "values": ["worker2"]}
    preference = {"weight": 10, "preference": {"matchExpressions": [expression]}}
    pods = [samples.pod(letter, affinity={"nodeAffinity": {PREFERRED: [preference]}}) for letter in "abc"]
    assert placed(pods, nodes()) == ["worker2"] * 3


def test_required_anti_affinity_keeps_replicas_apart() -> None:
    affinity = {"podAntiAffinity": {REQUIRED: [near("web")]}}
    pods = [samples.pod(letter, {"app": "web"}, affinity=affinity) for letter in "abc"]
    assert placed(pods, nodes()) == ["worker", "worker2", None]


def test_anti_affinity_holds_both_ways() -> None:
    shy = samples.pod("shy", affinity={"podAntiAffinity": {REQUIRED: [near("web")]}}, nodeName="worker")
    assert placed([samples.pod("a", {"app": "web"})], nodes(1), [shy]) == [None]


def test_anti_affinity_is_within_the_namespace() -> None:
    other = samples.pod("a", {"app": "web"}, nodeName="worker")
    other["metadata"]["namespace"] = "elsewhere"
    pod = samples.pod("b", affinity={"podAntiAffinity": {REQUIRED: [near("web")]}})
    assert placed([pod], nodes(1), [other]) == ["worker"]
    pod = samples.pod("b", affinity={"podAntiAffinity": {REQUIRED: [{**near("web"), "namespaceSelector": {}}]}})
    assert placed([pod], nodes(1), [other]) == [None]


def test_required_affinity_follows_by_zone() -> None:
    bound = [samples.pod("cache", {"app": "cache"}, nodeName="worker3")]
    pod = samples.pod("web", affinity={"podAffinity": {REQUIRED: [near("cache", ZONE)]}})
    assert placed([pod], nodes(4, ["a", "a", "b", "b"]), bound) == ["worker4"]


def test_the_first_of_a_group_may_go_anywhere() -> None:
    affinity = {"podAffinity": {REQUIRED: [near("web")]}}
    pods = [samples.pod(letter, {"app": "web"}, affinity=affinity) for letter in "abc"]
    assert placed(pods, nodes()) == ["worker"] * 3


def test_preferred_anti_affinity_is_a_wish() -> None:
    affinity = {"podAntiAffinity": {PREFERRED: [{"weight": 1, "podAffinityTerm": near("web")}]}}
    bound = [*(samples.pod(str(number), nodeName="worker2") for number in range(3))]
    pods = [samples.pod(letter, {"app": "web"}, affinity=affinity) for letter in "abc"]
    assert placed(pods, nodes(), bound) == ["worker", "worker2", "worker"]


def test_topology_spread_bounds_the_skew() -> None:
    constraint = {
        "maxSkew": 1,
        "topologyKey": ZONE,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    pods = [samples.pod(str(n), {"app": "web"}, topologySpreadConstraints=[constraint]) for n in range(4)]
    # Zone a has three nodes, zone b one: least load alone would put one pod on each of the four.
    assert Counter(placed(pods, nodes(4, ["a", "a", "a", "b"])))["worker4"] == 2


@pytest.mark.parametrize(
    ("spec", "bound", "expected"),
    [
        (
            {"nodeSelector": {"disk": "ssd"}},
            0,
            "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
            "2 node(s) didn't match Pod's node affinity/selector.",
        ),
        (
            {"nodeSelector": {HOSTNAME: "worker"}},
            250,
            "0/3 nodes are available: 1 Too many pods, 1 node(s) didn't match Pod's node affinity/selector, "
            "1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }.",
        ),
    ],
)
def test_the_message_is_that_of_kubernetes(spec: dict[str, Any], bound: int, expected: str) -> None:
    pods = [samples.pod(str(number), nodeName="worker") for number in range(bound)]
    assert message(samples.pod("a", **spec), nodes(), pods) == expected


def test_a_cordoned_node_gets_no_pods() -> None:
    on = nodes()
    on[1]["spec"]["unschedulable"] = True
    assert placed([samples.pod("a"), samples.pod("b")], on) == ["worker2", "worker2"]


def test_without_nodes_nothing_fits() -> None:
    assert message(samples.pod("a"), []) == "no nodes available to schedule pods"


def test_a_pod_that_fits_nowhere_stays_pending_and_says_why() -> None:
    world = samples.Scratch(samples.cluster(), [samples.pod("a", nodeSelector={"disk": "ssd"})])
    (pod,) = world.pods()
    (condition,) = pod["status"]["conditions"]
    assert pod["status"]["phase"] == "Pending"
    assert (condition["type"], condition["status"], condition["reason"]) == ("PodScheduled", "False", "Unschedulable")
    assert condition["message"].startswith("0/3 nodes are available: ")


LOOSELY_APART = {"podAntiAffinity": {PREFERRED: [{"weight": 1, "podAffinityTerm": near("web")}]}}


def placing_calls(count: int, affinity: Object) -> int:
    """What placing so many pods of 20 ReplicaSets on 20 nodes costs."""
    spec = {"affinity": affinity} if affinity else {}
    pods = [owned(samples.pod(str(n), {"app": "web"}, **spec), f"rs{n % 20}") for n in range(count)]
    on = nodes(20)
    found: list[str | None] = []
    cost = calls(lambda: found.extend(placed(pods, on)))
    assert set(Counter(found).values()) == {count // 20}
    return cost


@pytest.mark.parametrize("affinity", [{}, LOOSELY_APART])
def test_a_pod_costs_no_more_among_many(affinity: Object) -> None:
    few, many = placing_calls(400, affinity), placing_calls(1200, affinity)
    assert many < 3.3 * few, f"{few} calls for 400 pods, {many} for 1200"
