"""The cluster's own objects (cluster/system.py)."""

from __future__ import annotations

import pytest
import samples

from cluster.plan import plan
from cluster.problems import SpecError
from cluster.reading.documents import Document
from cluster.reading.manifests import check
from cluster.system import dns_addresses, system_objects


@pytest.mark.parametrize("ip_family", ["ipv4", "ipv6", "dual"])
def test_they_are_right_manifests(ip_family: str) -> None:
    objects = system_objects(samples.cluster(ip_family=ip_family))
    assert [problem for obj in objects for problem in check(Document("", 0, obj)).problems] == []


@pytest.mark.parametrize(
    ("ip_family", "expected"),
    [("ipv4", ["10.96.0.10"]), ("ipv6", ["fd00:10:96::a"]), ("dual", ["10.96.0.10", "fd00:10:96::a"])],
)
def test_the_dns_service_has_the_tenth_address_of_each_family(ip_family: str, expected: list[str]) -> None:
    cluster = samples.cluster(ip_family=ip_family)
    assert dns_addresses(cluster) == expected
    service, _ = plan(cluster, []).services
    assert (service.namespace, service.name, service.cluster_ips) == ("kube-system", "kube-dns", expected)


@pytest.mark.parametrize("workers", [0, 2])
def test_its_pods_are_on_the_control_plane_node(workers: int) -> None:
    pods = plan(samples.cluster(workers), [samples.pod("a"), samples.workload("Deployment", "web", replicas=3)]).pods
    assert [pod.node for pod in pods if pod.namespace == "kube-system"] == ["control-plane"] * 2


def test_a_manifest_of_the_same_name_wins() -> None:
    own = samples.workload("Deployment", "coredns", replicas=3)
    own["metadata"] = {**own["metadata"], "namespace": "kube-system"}
    service = samples.service("kube-dns", clusterIP="10.96.0.99")
    service["metadata"] = {**service["metadata"], "namespace": "kube-system"}
    planned = plan(samples.cluster(), [own, service])
    assert len(planned.pods) == 3
    assert [svc.cluster_ips for svc in planned.services if svc.name == "kube-dns"] == [["10.96.0.99"]]


def test_nobody_else_gets_its_address() -> None:
    with pytest.raises(SpecError, match=r"Service default/web: .*; Service kube-system/kube-dns has that address"):
        plan(samples.cluster(), [samples.service("web", clusterIP="10.96.0.10")])
