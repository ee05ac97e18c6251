"""Endpoints objects, their mirrors, and the Service kubernetes."""

from __future__ import annotations

from typing import Any

import samples

from cluster.loops import put_given
from cluster.objects import Object, labels, name


def scratch(*objects: Object, ip_family: str = "ipv4") -> samples.Scratch:
    return samples.Scratch(samples.cluster(ip_family=ip_family), objects)


def by_hand(**metadata: Any) -> Object:
    """Endpoints outside the cluster, for a Service without a selector."""
    subset = {
        "addresses": [{"ip": "192.0.2.1"}, {"ip": "192.0.2.2", "hostname": "b"}],
        "notReadyAddresses": [{"ip": "192.0.2.3"}],
        "ports": [{"name": "http", "port": 8080}],
    }
    meta = {"name": "db", "namespace": "default", **metadata}
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": [subset]}


def bare_service() -> Object:
    return samples.service("db", selector={}, ports=[{"name": "http", "port": 80}])


def mirrors(world: samples.Scratch) -> list[Object]:
    return [one for one in world.draft.objects("EndpointSlice") if labels(one).get("kubernetes.io/service-name") == "db"]


def test_a_service_has_endpoints_of_its_name() -> None:
    world = scratch(samples.workload("Deployment", "web", replicas=2), samples.service("web"))
    first, second = world.pods()
    world.make_ready(first)
    (subset,) = world.one("Endpoints", "web")["subsets"]
    assert [address["ip"] for address in subset["addresses"]] == [first["status"]["podIP"]]
    assert [address["targetRef"]["name"] for address in subset["notReadyAddresses"]] == [name(second)]
    assert subset["ports"] == [{"port": 8080, "protocol": "TCP"}]


def test_endpoints_go_with_their_service() -> None:
    world = scratch(samples.pod("a", {"app": "web"}), samples.service("web"))
    world.delete(world.one("Service", "web"))
    assert [name(one) for one in world.draft.objects("Endpoints")] == ["kubernetes"]


def test_a_service_without_pods_has_empty_endpoints() -> None:
    assert "subsets" not in scratch(samples.service("web")).one("Endpoints", "web")


def test_endpoints_made_by_hand_are_mirrored() -> None:
    world = scratch(bare_service(), by_hand())
    (mirror,) = mirrors(world)
    assert labels(mirror)["endpointslice.kubernetes.io/managed-by"] == "endpointslicemirroring-controller.k8s.io"
    assert mirror["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    assert [(entry["addresses"], entry["conditions"]["ready"]) for entry in mirror["endpoints"]] == [
        (["192.0.2.1"], True),
        (["192.0.2.2"], True),
        (["192.0.2.3"], False),
    ]


def test_a_mirror_follows_its_endpoints() -> None:
    world = scratch(bare_service(), by_hand())
    before = mirrors(world)
    endpoints = world.one("Endpoints", "db")
    subset = {**endpoints["subsets"][0], "addresses": [{"ip": "192.0.2.9"}]}
    world.draft.put({**endpoints, "subsets": [subset]})
    world.settle()
    assert [name(one) for one in mirrors(world)] == [name(one) for one in before]
    assert mirrors(world)[0]["endpoints"][0]["addresses"] == ["192.0.2.9"]
    world.delete(world.one("Endpoints", "db"))
    assert mirrors(world) == []


def test_endpoints_made_by_hand_go_with_their_service() -> None:
    world = scratch(bare_service(), by_hand())
    world.delete(world.one("Service", name(bare_service())))
    assert [name(one) for one in world.draft.objects("Endpoints") if name(one) == name(by_hand())] == []
    assert mirrors(world) == []


def test_endpoints_may_be_there_before_their_service() -> None:
    world = scratch(by_hand())
    assert mirrors(world) == []
    world.restart()
    world.settle()
    put_given(world.draft, [bare_service()], world.cluster)
    world.settle()
    assert len(mirrors(world)) == 1


def test_who_does_not_want_a_mirror_has_none() -> None:
    world = scratch(bare_service(), by_hand(labels={"endpointslice.kubernetes.io/skip-mirror": "true"}))
    assert mirrors(world) == []


def test_each_family_has_a_mirror_of_its_own() -> None:
    endpoints = by_hand()
    endpoints["subsets"][0]["addresses"].append({"ip": "2001:db8::1"})
    assert sorted(one["addressType"] for one in mirrors(scratch(bare_service(), endpoints))) == ["IPv4", "IPv6"]


def test_the_service_kubernetes_leads_to_the_control_plane() -> None:
    world = scratch()
    assert world.one("Service", "kubernetes")["spec"]["clusterIP"] == "10.96.0.1"
    address = str(world.cluster.nodes[0].addresses[0])
    (subset,) = world.one("Endpoints", "kubernetes")["subsets"]
    assert subset == {"addresses": [{"ip": address}], "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}]}
    slice_ = world.one("EndpointSlice", "kubernetes")
    assert slice_["endpoints"] == [{"addresses": [address], "conditions": {"ready": True}}]


def test_the_service_kubernetes_comes_back() -> None:
    world = scratch()
    for kind in ("Service", "Endpoints", "EndpointSlice"):
        world.draft.delete((kind, "default", "kubernetes"))
    world.settle()
    for kind in ("Service", "Endpoints", "EndpointSlice"):
        assert world.one(kind, "kubernetes")


def test_an_endpoint_that_changes_rewrites_one_slice_only() -> None:
    world = scratch(samples.workload("Deployment", "web", replicas=150), samples.service("web"))
    before = {name(one): one for one in world.draft.objects("EndpointSlice")}
    assert sorted(len(one["endpoints"]) for one in before.values())[-2:] == [50, 100]
    first = next(pod for pod in world.pods() if pod["metadata"]["namespace"] == "default")
    world.make_ready(first)
    changed = [key for key, one in before.items() if world.one("EndpointSlice", key) != one]
    assert len(changed) == 1
