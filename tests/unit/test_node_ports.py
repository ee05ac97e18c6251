"""Node ports of Services."""

from __future__ import annotations

from typing import Any

import samples

from cluster import node_ports
from cluster.objects import Object
from cluster.problems import Problem


def service(name: str = "web", **spec: Any) -> Object:
    return samples.service(name, **{"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP"}], **spec})


def allocated(one: Object, holders: dict[tuple[int, str], Object] | None = None) -> list[int]:
    spec = node_ports.with_ports(one, {} if holders is None else holders)["spec"]
    return [port.get("nodePort", 0) for port in spec["ports"]]


def test_ports_are_given_above_the_band_in_order() -> None:
    holders: dict[tuple[int, str], Object] = {}
    assert allocated(service(), holders) == [30086]
    assert allocated(service("b"), holders) == [30087]


def test_named_ports_are_kept() -> None:
    assert allocated(service(ports=[{"port": 80, "nodePort": 30001}, {"port": 81}])) == [30001, 30086]


def test_one_number_in_two_protocols_is_one_node_port() -> None:
    assert allocated(service(ports=[{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}])) == [30086, 30086]


def test_the_band_is_used_when_all_others_are_taken() -> None:
    full = {(number, "TCP"): service("x") for number in range(30086, 32768)}
    assert allocated(service(), full) == [30000]


def test_a_load_balancer_may_do_without() -> None:
    assert node_ports.is_complete(service(type="LoadBalancer", allocateLoadBalancerNodePorts=False))
    assert not node_ports.is_complete(service(type="LoadBalancer"))


def test_a_local_load_balancer_has_a_health_check_port() -> None:
    local = service(type="LoadBalancer", externalTrafficPolicy="Local")
    spec = node_ports.with_ports(local, {})["spec"]
    assert spec["healthCheckNodePort"] == 30087
    assert "healthCheckNodePort" not in node_ports.kept({**spec, "externalTrafficPolicy": "Cluster"}, spec)


def test_two_services_that_name_one_port_are_a_problem() -> None:
    problems: list[Problem] = []
    ports = [{"port": 80, "nodePort": 30001}]
    node_ports.taken([service("a", ports=ports), service("b", ports=ports)], problems)
    (problem,) = problems
    assert problem.field == "spec.ports[0].nodePort"
    assert problem.message == "found 30001; Service default/a has that port"


def test_an_update_keeps_its_ports_by_port_and_protocol() -> None:
    stored = service(ports=[{"port": 80, "protocol": "TCP", "nodePort": 30001}])["spec"]
    given = service(ports=[{"port": 81, "protocol": "TCP"}, {"port": 80, "protocol": "TCP"}])["spec"]
    assert [port.get("nodePort") for port in node_ports.kept(given, stored)["ports"]] == [None, 30001]
    plain = node_ports.kept({**stored, "type": "ClusterIP"}, stored)
    assert "nodePort" not in plain["ports"][0]
