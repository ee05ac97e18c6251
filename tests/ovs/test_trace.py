"""`mininetes trace` tells the way of a packet through real switches, and who is behind each flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from specs import model, pod_object, service_object, slice_object, state_of
from world import World

from cluster.problems import NoTestbedError
from controller.compiler import compile
from controller.dummy_switch import loaded
from controller.trace_text import parse
from controller.traced import Question, answer

CLUSTER = model(nodes=2)
OBJECTS = [
    pod_object(CLUSTER, "a", 1, 2),
    pod_object(CLUSTER, "c", 2, 2),
    service_object("web", ["10.96.0.10"]),
    slice_object("web", ["10.244.1.2"]),
    service_object("lonely", ["10.96.0.11"]),
    service_object("many", ["10.96.0.12"]),
    slice_object("many", ["10.244.1.2", "10.244.0.2"]),
]
STATE = state_of(CLUSTER, *OBJECTS)


@pytest.fixture(scope="module")
def shop() -> Iterator[World]:
    with loaded(STATE, compile(STATE)) as switch:
        yield World(STATE, switch)


def way(shop: World, source: str, destination: str, port: int | None = None) -> Any:
    return answer(STATE, OBJECTS, Question(source, destination, port, "TCP"), shop.switch.trace)


def test_across_nodes_through_a_service(shop: World) -> None:
    found = way(shop, "a", "service/web")
    assert [hop["node"] for hop in found["hops"]] == [node.name for node in CLUSTER.nodes]
    said = {step["table"]: (step["owner"], step["note"]) for step in found["hops"][0]["steps"]}
    assert said["ServiceLB"] == ("Service default/web", "port 80")
    assert said["EndpointDNAT"] == ("Service default/web", "endpoint 10.244.1.2:8080 (Pod default/c on worker)")
    assert found["observed"]["at"] == "Pod default/c on worker"
    assert found["agree"]


@pytest.mark.parametrize("destination", ["service/many", "c", "10.244.1.2", "node/worker"])
def test_arrives_where_the_api_says(shop: World, destination: str) -> None:
    found = way(shop, "default/a", destination)
    assert found["observed"]["verdict"] == "delivered"
    assert found["agree"]


def test_from_a_node_and_refused(shop: World) -> None:
    found = way(shop, "node/worker", "service/lonely")
    assert found["observed"]["verdict"] == found["expected"]["verdict"] == "refused"
    assert found["agree"]


def test_says_where_a_packet_is_dropped(shop: World) -> None:
    found = way(shop, "a", "service/web", port=81)
    assert found["observed"]["at"] == "dropped in ServiceLB on control-plane"
    assert found["agree"]


def test_unknown_names_are_refused(shop: World) -> None:
    for source, destination in (("nobody", "c"), ("a", "nobody"), ("a", "service/nobody")):
        with pytest.raises(NoTestbedError):
            way(shop, source, destination)


def test_what_is_no_trace_is_an_error() -> None:
    with pytest.raises(ValueError, match="no trace"):
        parse("Unknown bridge")
