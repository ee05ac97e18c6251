"""What keeps a pod off a node besides its own spec: resources, ports, spread; and the order of the queue."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import samples
from test_scheduler import HOSTNAME, ZONE, message, nodes, placed

from cluster.loops import put_given
from cluster.objects import Object, name
from cluster.scheduling.resource_amounts import milli, pod_requests


def asking(pod_name: str, **requests: str) -> Object:
    container = {"name": "main", "image": "pause", "resources": {"requests": requests}}
    return samples.pod(pod_name, containers=[container])


def on_port(pod_name: str, port: int, host_ip: str = "", protocol: str = "TCP") -> Object:
    ports = {"containerPort": port, "hostPort": port, "protocol": protocol, **({"hostIP": host_ip} if host_ip else {})}
    return samples.pod(pod_name, containers=[{"name": "main", "image": "pause", "ports": [ports]}])


def spread(**more: Any) -> Object:
    return {
        "maxSkew": 1,
        "topologyKey": ZONE,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
        **more,
    }


def spreading(pod_name: str, constraint: Object, **spec: Any) -> Object:
    return samples.pod(pod_name, {"app": "web", "version": "1"}, topologySpreadConstraints=[constraint], **spec)


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [("100m", 100), ("2", 2000), (3, 3000), ("1Ki", 1_024_000), ("1.5", 1500), ("1e3", 1_000_000), ("1n", 1), ("2k", 2_000_000)],
)
def test_quantities_are_read_in_thousandths(quantity: str | int, expected: int) -> None:
    assert milli(quantity) == expected


def test_what_is_no_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        milli("many")


def test_a_pod_asks_for_its_containers_together_or_its_largest_init_container() -> None:
    def container(cpu: str, **more: str) -> Object:
        return {"name": "c", "resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "containers": [container("100m"), container("200m")],
        "initContainers": [container("50m", restartPolicy="Always"), container("900m")],
    }
    assert pod_requests(spec)["cpu"] == 950
    assert pod_requests({"containers": [{"name": "c", "resources": {"limits": {"cpu": "1"}}}]})["cpu"] == 1000


def test_a_node_that_is_full_is_passed_over() -> None:
    pods = [asking(letter, cpu="5") for letter in "abc"]
    assert placed(pods, nodes()) == ["worker", "worker2", None]


def test_the_message_names_every_resource_that_is_lacking() -> None:
    assert message(asking("a", cpu="9", memory="20Gi"), nodes()) == (
        "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
        "2 Insufficient cpu, 2 Insufficient memory."
    )


def test_a_host_port_is_taken_once_per_node() -> None:
    pods = [on_port("a", 80), on_port("b", 80), on_port("c", 80)]
    assert placed(pods, nodes()) == ["worker", "worker2", None]
    third = [{**samples.pod("x"), "spec": {**pod["spec"], "nodeName": node}} for pod, node in zip(pods, ("worker", "worker2"), strict=False)]
    third[1] = {**third[1], "metadata": {**third[1]["metadata"], "name": "y"}}
    assert "2 node(s) didn't have free ports for the requested pod ports" in message(on_port("c", 80), nodes(), third)


@pytest.mark.parametrize(
    ("other", "together"),
    [
        (on_port("b", 80, protocol="UDP"), True),
        (on_port("b", 80, host_ip="192.0.2.1"), False),
        (on_port("b", 81), True),
    ],
)
def test_ports_clash_by_protocol_and_address(other: Object, together: bool) -> None:
    assert (placed([on_port("a", 80), other], nodes(1)) == ["worker", "worker"]) is together


def test_two_addresses_of_a_node_have_ports_of_their_own() -> None:
    pods = [on_port("a", 80, host_ip="192.0.2.1"), on_port("b", 80, host_ip="192.0.2.2")]
    assert placed(pods, nodes(1)) == ["worker", "worker"]


def test_a_prefer_no_schedule_taint_is_avoided_while_there_is_another_node() -> None:
    on = nodes()
    on[1]["spec"]["taints"] = [{"key": "k", "effect": "PreferNoSchedule"}]
    assert placed([samples.pod("a"), samples.pod("b")], on) == ["worker2", "worker2"]
    assert placed([samples.pod("a")], on[:2]) == ["worker"]


def test_with_fewer_domains_than_min_domains_the_least_counts_as_none() -> None:
    pods = [spreading(str(n), spread(minDomains=3)) for n in range(3)]
    assert placed(pods, nodes(2, ["a", "b"])) == ["worker", "worker2", None]


def test_a_node_without_the_topology_key_is_named() -> None:
    assert "(missing required label)" in message(spreading("a", spread()), nodes(1))


def test_tainted_nodes_count_unless_the_policy_honors_taints() -> None:
    on = nodes(2, ["a", "b"])
    on[2]["spec"]["taints"] = [{"key": "k", "effect": "NoSchedule"}]
    pods = [spreading(str(n), spread()) for n in range(2)]
    assert placed(pods, on) == ["worker", None]
    honoring = [spreading(str(n), spread(nodeTaintsPolicy="Honor")) for n in range(2)]
    assert placed(honoring, on) == ["worker", "worker"]


def test_only_nodes_that_the_pod_selects_count() -> None:
    selector = {HOSTNAME: "worker"}
    pods = [spreading(str(n), spread(), nodeSelector=selector) for n in range(2)]
    assert placed(pods, nodes(2, ["a", "b"])) == ["worker", "worker"]
    ignoring = [spreading(str(n), spread(nodeAffinityPolicy="Ignore"), nodeSelector=selector) for n in range(2)]
    assert placed(ignoring, nodes(2, ["a", "b"])) == ["worker", None]


def test_match_label_keys_spread_each_version_by_itself() -> None:
    old = {**spreading("old", spread(), nodeName="worker")}
    old["metadata"]["labels"]["version"] = "0"
    assert placed([spreading("a", spread(matchLabelKeys=["version"]))], nodes(2, ["a", "b"]), [old]) == ["worker2"]
    both = [spreading(letter, spread(matchLabelKeys=["version"])) for letter in "ab"]
    assert Counter(placed(both, nodes(2, ["a", "b"]), [old])) == {"worker": 1, "worker2": 1}


def test_schedule_anyway_is_a_wish() -> None:
    constraint = spread(whenUnsatisfiable="ScheduleAnyway")
    pods = [spreading(str(n), constraint) for n in range(4)]
    assert Counter(placed(pods, nodes(4, ["a", "a", "a", "b"])))["worker4"] == 2


def test_a_pod_of_higher_priority_is_first() -> None:
    world = samples.Scratch(samples.cluster(1), [asking("filler", cpu="5")])
    put_given(world.draft, [{**asking("low", cpu="3")}, asking("high", cpu="3")], world.cluster)
    high = world.one("Pod", "high")
    world.draft.put({**high, "spec": {**high["spec"], "priority": 10}})
    world.settle()
    assert "nodeName" in world.one("Pod", "high")["spec"]
    assert "nodeName" not in world.one("Pod", "low")["spec"]


def test_a_waiting_pod_gets_the_room_that_comes_free() -> None:
    world = samples.Scratch(samples.cluster(1), [asking("first", cpu="5"), asking("second", cpu="5")])
    assert world.events("FailedScheduling")
    world.delete(world.one("Pod", "first"))
    assert world.one("Pod", "second")["spec"]["nodeName"] == "worker"


def test_a_gated_pod_and_that_of_another_scheduler_are_left_alone() -> None:
    gated = samples.pod("gated", schedulingGates=[{"name": "example.com/wait"}])
    world = samples.Scratch(samples.cluster(1), [gated, samples.pod("other", schedulerName="mine")])
    assert [pod["spec"].get("nodeName") for pod in world.pods()] == [None, None]
    (condition,) = world.one("Pod", "gated")["status"]["conditions"]
    assert condition["reason"] == "SchedulingGated"
    assert name(world.pods()[1]) == "other"
