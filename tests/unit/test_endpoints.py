"""EndpointSlices."""

from __future__ import annotations

from typing import Any

import samples

from cluster.controllers.endpoints import MAX_ENDPOINTS_PER_SLICE
from cluster.deletion import delete
from cluster.draft import key_of
from cluster.objects import Object, labels, name


def scratch(*objects: Object, ip_family: str = "ipv4", workers: int = 2) -> samples.Scratch:
    return samples.Scratch(samples.cluster(workers, ip_family), objects)


def web(replicas: int = 2, **spec: Any) -> tuple[Object, Object]:
    return samples.workload("Deployment", "web", replicas=replicas), samples.service("web", **spec)


def slices(world: samples.Scratch) -> list[Object]:
    """Without those of the API server."""
    return [one for one in world.draft.objects("EndpointSlice") if name(one) != "kubernetes"]


def endpoints(world: samples.Scratch) -> list[Object]:
    return [endpoint for one in slices(world) for endpoint in one["endpoints"]]


def report(world: samples.Scratch, pod: Object, status: Object) -> None:
    world.draft.merge_status(key_of(pod), pod["metadata"]["uid"], status)
    world.settle()


def test_a_slice_names_its_service_and_owner() -> None:
    world = scratch(*web())
    (one,) = slices(world)
    assert one["apiVersion"] == "discovery.k8s.io/v1"
    assert one["addressType"] == "IPv4"
    assert name(one).startswith("web-")
    assert labels(one) == {
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert one["metadata"]["ownerReferences"][0]["kind"] == "Service"
    assert one["ports"] == [{"name": "", "protocol": "TCP", "port": 8080}]


def test_an_endpoint_names_its_pod_and_node() -> None:
    world = scratch(*web(1))
    (pod,), (endpoint,) = world.pods(), endpoints(world)
    assert endpoint == {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": False, "serving": False, "terminating": False},
        "nodeName": pod["spec"]["nodeName"],
        "targetRef": {"kind": "Pod", "namespace": "default", "name": name(pod), "uid": pod["metadata"]["uid"]},
    }


def test_readiness_is_followed() -> None:
    world = scratch(*web(2))
    first = world.pods()[0]
    report(world, first, samples.running(first)["status"])
    assert [endpoint["conditions"]["ready"] for endpoint in endpoints(world)] == [True, False]
    report(world, first, samples.running(first, is_ready=False)["status"])
    assert [endpoint["conditions"]["ready"] for endpoint in endpoints(world)] == [False, False]


def test_publish_not_ready_addresses_publishes_them() -> None:
    world = scratch(*web(1, publishNotReadyAddresses=True))
    assert endpoints(world)[0]["conditions"] == {"ready": True, "serving": False, "terminating": False}


def test_a_terminating_pod_serves_but_is_not_ready() -> None:
    world = scratch(samples.service("web"), samples.pod("a", {"app": "web"}))
    (pod,) = world.pods()
    report(world, pod, samples.running(pod)["status"])
    delete(world.draft, key_of(pod))
    world.run()
    assert endpoints(world)[0]["conditions"] == {"ready": False, "serving": True, "terminating": True}


def test_a_finished_pod_is_no_endpoint() -> None:
    world = scratch(samples.service("web"), samples.pod("a", {"app": "web"}))
    (pod,) = world.pods()
    report(world, pod, {"phase": "Succeeded"})
    assert endpoints(world) == []


def test_dual_stack_services_have_a_slice_per_family() -> None:
    world = scratch(*web(1, ipFamilyPolicy="PreferDualStack"), ip_family="dual")
    (pod,) = world.pods()
    assert {one["addressType"]: one["endpoints"][0]["addresses"] for one in slices(world)} == {
        family: [entry["ip"]] for family, entry in zip(("IPv4", "IPv6"), pod["status"]["podIPs"], strict=True)
    }


def test_a_named_port_is_looked_up_in_every_pod() -> None:
    other = samples.pod("b", {"app": "web"})
    other["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 9090}]
    nameless = samples.pod("c", {"app": "web"}, containers=[{"name": "main", "image": "pause"}])
    world = scratch(samples.service("web"), samples.pod("a", {"app": "web"}), other, nameless)
    ports = {
        endpoint["targetRef"]["name"]: [port["port"] for port in one["ports"]]
        for one in slices(world)
        for endpoint in one["endpoints"]
    }
    assert ports == {"a": [8080], "b": [9090], "c": []}


def test_port_names_and_protocols_are_kept() -> None:
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "web", "port": 80, "appProtocol": "http"}]
    world = scratch(*web(1, ports=ports))
    assert slices(world)[0]["ports"] == [
        {"name": "dns", "protocol": "UDP", "port": 53},
        {"name": "web", "protocol": "TCP", "port": 80, "appProtocol": "http"},
    ]


def test_a_service_without_pods_has_one_empty_slice() -> None:
    (one,) = slices(scratch(samples.service("web")))
    assert (one["endpoints"], one["ports"]) == ([], [])


def test_a_service_without_selector_has_none_and_the_users_slice_stays() -> None:
    own = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "mine", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.1"]}],
        "ports": [],
    }
    world = scratch(samples.service("web", selector=None), own)
    assert [name(one) for one in slices(world)] == ["mine"]


def test_a_headless_service_is_marked_and_names_its_hosts() -> None:
    stateful_set = samples.workload("StatefulSet", "db", replicas=2, serviceName="db")
    world = scratch(stateful_set, samples.service("db", clusterIP="None"))
    world.make_ready()
    assert "service.kubernetes.io/headless" in labels(slices(world)[0])
    assert [endpoint["hostname"] for endpoint in endpoints(world)] == ["db-0", "db-1"]


def test_many_endpoints_are_cut_into_slices() -> None:
    world = scratch(*web(MAX_ENDPOINTS_PER_SLICE + 1))
    assert [len(one["endpoints"]) for one in slices(world)] == [MAX_ENDPOINTS_PER_SLICE, 1]


def test_a_deleted_service_takes_its_slices_with_it() -> None:
    world = scratch(*web())
    world.draft.delete(key_of(samples.service("web")))
    world.settle()
    assert slices(world) == []


def test_the_zone_of_the_node_is_told() -> None:
    world = scratch(*web(1))
    node = next(node for node in world.draft.objects("Node") if name(node) == world.pods()[0]["spec"]["nodeName"])
    zone = {"topology.kubernetes.io/zone": "a"}
    world.draft.put({**node, "metadata": {**node["metadata"], "labels": {**labels(node), **zone}}})
    world.settle()
    assert endpoints(world)[0]["zone"] == "a"
