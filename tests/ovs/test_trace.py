"""`mininetes trace` tells the way of a packet through real switches, and who is behind each flow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from specs import model, pod_object, service_object, slice_object
from world import World

from cluster.model import VXLAN_PORT
from cluster.policy_names import Places
from cluster.problems import NoTestbedError
from cluster.reading import spec
from controller.compiler import Compiler, compile
from controller.dummy_switch import DummySwitch, loaded
from controller.state import state_of
from controller.trace_commands import _lines
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


POLICIES = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: one}
spec:
  podSelector: {matchLabels: {app: c}}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: nobody}}
  - from:
    - podSelector: {matchLabels: {app: a}}
    ports: [{port: 8080}, {port: 81}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: two}
spec:
  podSelector: {matchLabels: {app: c}}
  policyTypes: [Ingress, Egress]
  egress:
  - to:
    - ipBlock: {cidr: 10.244.0.2/32}
    ports: [{port: 90}]
"""


class Guarded:
    """The world above with pods that have labels, behind policies that came from a file, but for one."""

    def __init__(self, directory: Path, switch: DummySwitch) -> None:
        (directory / "policies.yaml").write_text(POLICIES)
        documents = spec.load([str(directory / "policies.yaml")]).documents
        self.places = Places(each for each in documents if each.data["metadata"]["name"] == "one")
        self.objects = [_labelled(obj) for obj in OBJECTS]
        self.objects += [service_object("own", ["10.96.0.13"]), slice_object("own", ["10.244.1.2"])]
        self.objects += [each.data for each in documents]
        self.state = state_of(CLUSTER, *self.objects)
        self.switch = switch
        for node, table in Compiler(self.state).tables.items():
            switch.load(CLUSTER.node_by_name[node].bridge, table)

    def way(self, source: str, destination: str, port: int, protocol: str = "TCP") -> Any:
        question = Question(source, destination, port, protocol)
        return answer(self.state, self.objects, question, self.switch.trace, self.places)


def _labelled(obj: dict[str, Any]) -> dict[str, Any]:
    name = obj["metadata"]["name"]
    return {**obj, "metadata": {**obj["metadata"], "labels": {"app": name}}} if obj["kind"] == "Pod" else obj


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with DummySwitch() as switch:
        switch.add_bridges(STATE)
        yield Guarded(tmp_path_factory.mktemp("guarded"), switch)


def said(found: Any) -> list[str]:
    return [line.removeprefix("policies  ") for line in _lines(found) if line.startswith("policies  ")]


def test_the_rule_that_allows_is_named_with_its_line(guarded: Guarded) -> None:
    found = guarded.way("a", "service/web", 80)
    assert (found["observed"]["verdict"], found["agree"]) == ("delivered", True)
    free, isolated = found["policies"]
    assert (free["direction"], free["subject"], free["isolated_by"]) == ("egress", "default/a", [])
    assert (isolated["node"], isolated["table"], isolated["allowed"]) == ("worker", "IngressPolicy", True)
    (rule,) = isolated["rules"]
    assert (rule["namespace"], rule["name"], rule["direction"], rule["index"]) == ("default", "one", "ingress", 1)
    assert (Path(rule["file"]).name, rule["line"]) == ("policies.yaml", 9)
    file = rule["file"]
    assert said(found) == [
        "default/a is not isolated for egress",
        f"default/c is isolated for ingress by NetworkPolicy default/one ({file}:1), NetworkPolicy default/two; "
        f"allowed by NetworkPolicy default/one: spec.ingress[1] ({file}:9) (IngressPolicy on worker)",
    ]


def test_who_isolates_is_named_where_nothing_allows(guarded: Guarded) -> None:
    found = guarded.way("a", "c", 82)
    assert (found["observed"]["verdict"], found["observed"]["at"]) == ("denied", "dropped in IngressDefault on worker")
    assert (found["expected"]["verdict"], found["expected"]["denied"], found["agree"]) == ("denied", "ingress", True)
    denied = found["policies"][1]
    assert not denied["allowed"] and denied["rules"] == []
    assert [(each["name"], each["line"]) for each in denied["isolated_by"]] == [("one", 1), ("two", None)]
    assert said(found)[1].endswith("; no ingress rule allows it (IngressDefault on worker)")


def test_a_packet_that_may_not_leave_is_judged_once(guarded: Guarded) -> None:
    found = guarded.way("c", "a", 80)
    assert [(each["direction"], each["allowed"]) for each in found["policies"]] == [("egress", False)]
    assert said(found) == [
        "default/c is isolated for egress by NetworkPolicy default/two; no egress rule allows it "
        "(EgressDefault on worker)"
    ]
    allowed = guarded.way("c", "a", 90)["policies"][0]
    assert [(rule["name"], rule["index"], rule["line"]) for rule in allowed["rules"]] == [("two", 0, None)]


def test_what_is_always_allowed_needs_no_rule(guarded: Guarded) -> None:
    for source, destination in (("node/worker", "c"), ("c", "node/worker"), ("c", "service/own")):
        found = guarded.way(source, destination, 80)
        assert (found["observed"]["verdict"], found["agree"]) == ("delivered", True), (source, destination)
        assert all(each["allowed"] and not each["rules"] for each in found["policies"])
        assert "itself and its own node are always allowed" in said(found)[0]


def test_the_api_says_the_same_of_every_pair(guarded: Guarded) -> None:
    pods, nodes = ["a", "c"], ["node/control-plane", "node/worker"]
    inside, outside = [*pods, "service/web", "service/many", "service/lonely", "10.244.1.99"], [*nodes, "8.8.8.8"]
    pairs = [*product([*pods, *nodes], inside), *product(pods, outside)]
    asked = [(source, target, port) for source, target in pairs for port in (80, 81, 90) if source != target]
    wrong = [found for found in (guarded.way(*each) for each in asked) if not found["agree"]]
    assert not wrong, "\n".join(line for found in wrong for line in _lines(found))


def test_what_a_pod_wraps_by_itself_goes_to_no_node(guarded: Guarded) -> None:
    for destination in ("node/control-plane", "node/worker"):
        found = guarded.way("a", destination, VXLAN_PORT, "UDP")
        assert (found["observed"]["verdict"], found["agree"]) == ("dropped", True)


def test_a_trace_that_differs_from_the_api_is_told(guarded: Guarded) -> None:
    """The API has lost a policy of which the switches have not heard."""
    question = Question("a", "c", 82, "TCP")
    objects = [obj for obj in guarded.objects if obj["kind"] != "NetworkPolicy"]
    found = answer(guarded.state, objects, question, guarded.switch.trace)
    assert not found["agree"]
    assert list(_lines(found))[-1] == "expected  delivered  DIFFERS"


@pytest.mark.parametrize(("source", "destination"), [("c", "c"), ("node/worker", "8.8.8.8"), ("node/worker", "node/worker")])
def test_a_packet_that_meets_no_switch_has_no_trace(guarded: Guarded, source: str, destination: str) -> None:
    with pytest.raises(NoTestbedError, match="no switch is on the way"):
        guarded.way(source, destination, 80)
