"""Cluster addresses of Services."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
import samples

from cluster.loops import put_given
from cluster.objects import Object, name
from cluster.problems import SpecError
from cluster.service_ips import allocate, explicit_band

V4, V6 = ip_network("10.96.0.0/16"), ip_network("fd00:10:96::/112")


def service(service_name: str, **spec: Any) -> Object:
    return samples.service(service_name, **spec)


def ips(*services: Object, subnets: Any = (V4,)) -> dict[str, list[str]]:
    return {name(one): one["spec"]["clusterIPs"] for one in allocate(services, subnets)}


def refusal(*services: Object, subnets: Any = (V4,)) -> str:
    with pytest.raises(SpecError) as refused:
        allocate(services, subnets)
    return str(refused.value)


@pytest.mark.parametrize(
    ("subnet", "band"),
    [("10.96.0.0/16", 256), ("10.96.0.0/20", 256), ("10.96.0.0/24", 16), ("10.96.0.0/28", 16), ("fd00::/108", 256)],
)
def test_the_explicit_band_is_that_of_kubernetes(subnet: str, band: int) -> None:
    assert explicit_band(ip_network(subnet)) == band


def test_addresses_are_handed_out_in_order_above_the_band() -> None:
    assert ips(service("a"), service("b")) == {"a": ["10.96.1.1"], "b": ["10.96.1.2"]}


def test_the_primary_family_comes_first() -> None:
    assert ips(service("a"), subnets=(V6, V4)) == {"a": ["fd00:10:96::101"]}


def test_a_service_is_completed() -> None:
    (spec,) = (one["spec"] for one in allocate([service("a")], [V4]))
    assert spec["clusterIP"] == "10.96.1.1"
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")


def test_a_named_address_is_honoured_and_never_handed_out() -> None:
    assert ips(service("a"), service("b", clusterIP="10.96.1.1")) == {"a": ["10.96.1.2"], "b": ["10.96.1.1"]}


def test_a_headless_service_has_families_and_no_address() -> None:
    (spec,) = (one["spec"] for one in allocate([service("a", clusterIP="None")], [V4]))
    assert (spec["clusterIP"], spec["clusterIPs"], spec["ipFamilies"]) == ("None", ["None"], ["IPv4"])


def test_an_external_name_has_none() -> None:
    assert ips(service("a", type="ExternalName", externalName="example.org")) == {}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ["10.96.1.1"]),
        ({"ipFamilies": ["IPv6"]}, ["fd00:10:96::101"]),
        ({"ipFamilyPolicy": "PreferDualStack"}, ["10.96.1.1", "fd00:10:96::101"]),
        ({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]}, ["fd00:10:96::101", "10.96.1.1"]),
        ({"ipFamilies": ["IPv6", "IPv4"]}, ["fd00:10:96::101", "10.96.1.1"]),
        ({"ipFamilyPolicy": "PreferDualStack", "clusterIP": "10.96.0.9"}, ["10.96.0.9", "fd00:10:96::101"]),
        ({"clusterIP": "fd00:10:96::9"}, ["fd00:10:96::9"]),
    ],
)
def test_families_on_a_dual_stack_cluster(spec: Object, expected: list[str]) -> None:
    assert ips(service("a", **spec), subnets=(V4, V6)) == {"a": expected}


def test_prefer_dual_stack_takes_what_there_is() -> None:
    assert ips(service("a", ipFamilyPolicy="PreferDualStack")) == {"a": ["10.96.1.1"]}


def test_a_small_range_falls_back_on_the_band_and_ends() -> None:
    small = ip_network("10.96.0.0/28")
    services = [service(str(number)) for number in range(14)]
    assert [one for (one,) in ips(*services, subnets=(small,)).values()] == [f"10.96.0.{n}" for n in range(1, 15)]
    message = refusal(*services, service("one-more"), subnets=(small,))
    assert message == "Service default/one-more: spec.clusterIP: the service range 10.96.0.0/28 is used up"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"clusterIP": "10.97.0.1"}, "spec.clusterIP: found 10.97.0.1; must be in the service range 10.96.0.0/16"),
        ({"clusterIP": "fd00::1"}, "spec.ipFamilies: found IPv6; this cluster has IPv4 only"),
        ({"ipFamilies": ["IPv6"]}, "spec.ipFamilies: found IPv6; this cluster has IPv4 only"),
        (
            {"clusterIP": "10.96.0.1", "ipFamilies": ["IPv6"]},
            "spec.clusterIP: found 10.96.0.1; must be of the families IPv6",
        ),
        (
            {"ipFamilyPolicy": "RequireDualStack"},
            "spec.ipFamilyPolicy: found RequireDualStack; this cluster has IPv4 only",
        ),
        (
            {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4", "IPv6"]},
            "spec.ipFamilyPolicy: found SingleStack; two IP families need a dual-stack policy",
        ),
    ],
)
def test_what_cannot_be_had_is_told(spec: Object, expected: str) -> None:
    assert refusal(service("a", **spec)) == f"Service default/a: {expected}"


def test_all_problems_are_told_together() -> None:
    taken = service("a", clusterIP="10.96.0.1"), service("b", clusterIP="10.96.0.1")
    assert refusal(*taken, service("c", clusterIP="10.0.0.1")).splitlines() == [
        "Service default/b: spec.clusterIP: found 10.96.0.1; Service default/a has that address",
        "Service default/c: spec.clusterIP: found 10.0.0.1; must be in the service range 10.96.0.0/16",
    ]


def test_applying_again_keeps_the_address() -> None:
    world = samples.Scratch(samples.cluster(), [service("a"), service("b")])
    before = world.draft.objects("Service")
    put_given(world.draft, [service("b"), service("a")], world.cluster)
    world.settle()
    assert world.draft.objects("Service") == before


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"ipFamilyPolicy": "PreferDualStack"}, ["10.96.1.1", "fd00:10:96::101"]),
        ({}, {"ipFamilies": ["IPv4", "IPv6"]}, ["10.96.1.1", "fd00:10:96::101"]),
        ({}, {"ipFamilies": ["IPv6"]}, ["fd00:10:96::101"]),
        ({"ipFamilyPolicy": "PreferDualStack"}, {"ipFamilyPolicy": "SingleStack"}, ["10.96.1.1"]),
        ({"ipFamilyPolicy": "PreferDualStack"}, {}, ["10.96.1.1", "fd00:10:96::101"]),
        ({}, {"clusterIP": "10.96.0.9"}, ["10.96.0.9"]),
        ({}, {"clusterIP": "None"}, ["None"]),
        ({"clusterIP": "None"}, {"clusterIP": ""}, ["10.96.1.1"]),
        ({}, {"clusterIP": ""}, ["10.96.1.1"]),
    ],
)
def test_changing_a_service_reallocates_what_must_change(before: Object, after: Object, expected: list[str]) -> None:
    world = samples.Scratch(samples.cluster(ip_family="dual"), [service("a", **before)])
    put_given(world.draft, [service("a", **after)], world.cluster)
    world.settle()
    assert world.draft.objects("Service")[0]["spec"]["clusterIPs"] == expected


def test_ports_get_their_defaults() -> None:
    world = samples.Scratch(samples.cluster(), [service("a", ports=[{"port": 80}])])
    assert world.draft.objects("Service")[0]["spec"]["ports"] == [{"protocol": "TCP", "targetPort": 80, "port": 80}]
