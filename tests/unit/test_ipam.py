"""Addresses of pods."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
import samples

from cluster.draft import key_of
from cluster.model import MAX_PODS_PER_NODE, Cluster
from cluster.objects import ATTACHMENT_ANNOTATION, Object, pod_interface
from cluster.scheduling.ipam import MAX_VETH_PODS, attachment


def bound(number: int, node: str = "worker") -> Object:
    return samples.pod(f"pod-{number}", nodeName=node)


def ips(pod: Object) -> list[str]:
    return [entry["ip"] for entry in pod["status"]["podIPs"]]


def one_node(pods: int, cluster: Cluster | None = None) -> samples.Scratch:
    return samples.Scratch(cluster or samples.cluster(1), [bound(number) for number in range(pods)])


def pod_range(world: samples.Scratch) -> str:
    return str(world.cluster.node_by_name["worker"].pod_cidrs[0]).rsplit(".", 1)[0]


def test_addresses_start_after_the_nodes_own() -> None:
    world = one_node(2)
    assert [ips(pod) for pod in world.pods()] == [[f"{pod_range(world)}.2"], [f"{pod_range(world)}.3"]]


def test_binding_writes_the_whole_status() -> None:
    world = one_node(1)
    (pod,) = world.pods()
    host = str(world.cluster.node_by_name["worker"].addresses[0])
    assert pod["status"] == {
        "phase": "Pending",
        "qosClass": "BestEffort",
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": f"{pod_range(world)}.2",
        "podIPs": [{"ip": f"{pod_range(world)}.2"}],
        "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": samples.NOW}],
    }


def test_dual_stack_uses_one_number_in_both_families() -> None:
    world = one_node(1, samples.cluster(1, "dual"))
    (pod,) = world.pods()
    node = world.cluster.node_by_name["worker"]
    assert ips(pod) == [str(cidr.network_address + 2) for cidr in node.pod_cidrs]
    interface = pod_interface(pod, world.cluster)
    assert interface is not None
    assert interface.number == 2


def test_every_pod_is_in_its_nodes_range() -> None:
    world = samples.Scratch(samples.cluster(3), [samples.workload("Deployment", "web", replicas=30)])
    for pod in world.pods():
        cidr = world.cluster.node_by_name[pod["spec"]["nodeName"]].pod_cidrs[0]
        assert ip_network(f"{pod['status']['podIP']}/32").subnet_of(cidr)  # type: ignore[arg-type]
    assert len({pod["status"]["podIP"] for pod in world.pods()}) == 30


def test_an_address_is_not_given_again_at_once() -> None:
    world = one_node(2)
    world.draft.delete(key_of(bound(1)))
    world.draft.put(bound(2))
    world.settle()
    assert [ips(pod)[0].rsplit(".", 1)[1] for pod in world.pods()] == ["2", "4"]


def test_numbers_wrap_and_skip_what_is_in_use() -> None:
    world = one_node(MAX_PODS_PER_NODE)
    assert ips(world.pods()[-1]) == [f"{pod_range(world)}.{MAX_PODS_PER_NODE + 1}"]
    for gone in (bound(3), bound(7)):
        world.draft.delete(key_of(gone))
    world.draft.put_all([bound(1000), bound(1001)])
    world.settle()
    assert [ips(pod)[0].rsplit(".", 1)[1] for pod in world.pods()[-2:]] == ["5", "9"]


def test_after_a_restart_numbers_go_on_after_the_youngest_pod() -> None:
    world = one_node(3)
    world.draft.delete(key_of(bound(1)))
    world.draft.put(bound(9))
    world.settle()
    assert ips(world.pods()[-1]) == [f"{pod_range(world)}.5"]


def test_a_full_range_is_told_in_the_condition() -> None:
    world = one_node(MAX_PODS_PER_NODE + 1)
    status = world.pods()[-1]["status"]
    assert "podIPs" not in status
    (condition,) = status["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "OutOfAddresses")
    assert condition["message"] == "the pod range of node worker is used up"


def test_a_finished_pod_gives_its_address_back() -> None:
    world = one_node(MAX_PODS_PER_NODE)
    first = world.pods()[0]
    world.draft.merge_status(key_of(first), first["metadata"]["uid"], {"phase": "Succeeded"})
    world.draft.put(bound(1000))
    world.settle()
    assert ips(world.pods()[-1]) == ips(first)


def test_a_pod_on_the_host_network_has_its_nodes_addresses() -> None:
    world = samples.Scratch(samples.cluster(1, "dual"), [samples.pod("a", nodeName="worker", hostNetwork=True)])
    (pod,) = world.pods()
    assert ips(pod) == [str(address) for address in world.cluster.node_by_name["worker"].addresses]
    assert "annotations" not in pod["metadata"]
    assert pod["spec"]["containers"][0]["ports"][0]["hostPort"] == 8080


def test_a_pod_on_an_unknown_node_is_left_alone() -> None:
    world = samples.Scratch(samples.cluster(1), [bound(0, "nowhere")])
    assert "podIPs" not in world.pods()[0].get("status", {})


@pytest.mark.parametrize(
    ("wanted", "pods", "expected"),
    [
        ("auto", MAX_VETH_PODS, "veth"),
        ("auto", MAX_VETH_PODS + 1, "macvlan"),
        ("veth", 1000, "veth"),
        ("macvlan", 1, "macvlan"),
    ],
)
def test_the_attachment_depends_on_the_number_of_pods(wanted: str, pods: int, expected: str) -> None:
    assert attachment(bound(0), samples.cluster(1, attachment=wanted), pods) == expected


@pytest.mark.parametrize(
    "context",
    [{"privileged": True}, {"capabilities": {"add": ["NET_ADMIN"]}}, {"capabilities": {"drop": ["ALL"], "add": ["ALL"]}}],
)
def test_a_pod_that_may_change_interfaces_has_a_port_of_its_own(context: Object) -> None:
    pod = bound(0)
    pod["spec"]["initContainers"] = [{"name": "setup", "image": "x", "securityContext": context}]
    assert attachment(pod, samples.cluster(1, attachment="macvlan"), MAX_VETH_PODS + 1) == "veth"


def test_a_bound_pod_keeps_its_attachment() -> None:
    world = one_node(MAX_VETH_PODS)
    world.draft.put(bound(1000))
    world.settle()
    hows = [pod["metadata"]["annotations"][ATTACHMENT_ANNOTATION] for pod in world.pods()]
    assert hows == ["veth"] * MAX_VETH_PODS + ["macvlan"]
