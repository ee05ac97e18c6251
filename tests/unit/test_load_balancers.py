"""Services of type LoadBalancer: an address of the pool, the finalizer, and who else's they may be."""

from __future__ import annotations

from typing import Any

import pytest
import samples

from cluster.controllers.load_balancers import CLASS, FINALIZER, addresses
from cluster.objects import Object


def balanced(name: str = "web", **spec: Any) -> Object:
    return samples.service(name, type="LoadBalancer", **spec)


def given(world: samples.Scratch, name: str = "web") -> list[str]:
    return [str(address) for address in addresses(world.one("Service", name))]


def test_each_has_an_address_of_its_own_in_order() -> None:
    world = samples.Scratch(samples.cluster(), [balanced("web"), balanced("shop")])
    assert (given(world, "web"), given(world, "shop")) == (["172.18.254.1"], ["172.18.254.2"])
    status = world.one("Service", "web")["status"]["loadBalancer"]["ingress"]
    assert status == [{"ip": "172.18.254.1", "ipMode": "VIP"}]
    assert FINALIZER in world.one("Service", "web")["metadata"]["finalizers"]
    assert world.events("EnsuredLoadBalancer")


def test_one_of_each_family() -> None:
    world = samples.Scratch(samples.cluster(ip_family="dual"), [balanced(ipFamilyPolicy="RequireDualStack")])
    assert given(world) == ["172.18.254.1", "fc00:f853:ccd:e793::fe01"]


@pytest.mark.parametrize(("load_balancer_class", "expected"), [(CLASS, ["172.18.254.1"]), ("example.com/other", [])])
def test_another_class_is_somebody_elses(load_balancer_class: str, expected: list[str]) -> None:
    world = samples.Scratch(samples.cluster(), [balanced(loadBalancerClass=load_balancer_class)])
    assert given(world) == expected
    assert bool(expected) == bool(world.one("Service", "web")["metadata"].get("finalizers"))


def test_the_address_that_is_asked_for() -> None:
    world = samples.Scratch(samples.cluster(), [balanced(loadBalancerIP="172.18.254.77")])
    assert given(world) == ["172.18.254.77"]


def test_an_address_that_cannot_be_had_is_told() -> None:
    world = samples.Scratch(samples.cluster(), [balanced(loadBalancerIP="192.0.2.1")])
    assert given(world) == []
    assert "192.0.2.1 is not free in 172.18.254.0/24" in world.events("SyncLoadBalancerFailed")[0]


def test_who_waits_gets_what_is_given_back() -> None:
    world = samples.Scratch(samples.cluster(), [balanced("one"), balanced("two", loadBalancerIP="172.18.254.1")])
    assert (given(world, "one"), given(world, "two")) == (["172.18.254.1"], [])
    world.delete(world.one("Service", "one"))
    assert given(world, "two") == ["172.18.254.1"]


def test_a_service_that_is_no_load_balancer_any_more_gives_its_address_back() -> None:
    world = samples.Scratch(samples.cluster(), [balanced()])
    service = world.one("Service", "web")
    world.draft.put({**service, "spec": {**service["spec"], "type": "ClusterIP"}})
    world.settle()
    assert given(world) == []
    assert not world.one("Service", "web")["metadata"].get("finalizers")
