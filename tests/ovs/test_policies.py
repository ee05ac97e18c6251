"""NetworkPolicies and real packets: what a trace cannot show, since it needs the connection before it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import pytest
from packets import Packet
from policy_world import PolicyWorld, policy_world
from specs import Object, cluster_object, pod_object, service_object, slice_object
from world import Arrival, World

from cluster.reading.config import resolve
from controller.dummy_switch import trunk_name

_VARYING = re.compile(r"(?<=recirc_id\()0x\w+|(?<=recirc\()0x\w+|packets:.*(?=actions:)")
"""Of a flow in the datapath: the numbers by which tables call each other, and what it has counted."""
PORT, TARGET_PORT, CLUSTER_IP = 80, 8080, ip_address("10.96.0.10")
Spec = Mapping[str, Any]


class Shop:
    """Pods a and b on the first node, c on the second, each with its name as its label."""

    def __init__(self, world: PolicyWorld) -> None:
        self._world = world
        self._objects = {("Namespace", "", "default"): _namespace()}
        for name, node, number in (("a", 1, 2), ("b", 1, 3), ("c", 2, 2)):
            pod = pod_object(world.cluster, name, node, number)
            pod["metadata"]["labels"] = {"app": name}
            pod["spec"]["containers"] = []
            self._objects["Pod", "default", name] = pod
        self.policies()

    def put(self, *objects: Object) -> None:
        for obj in objects:
            self._objects[obj["kind"], "default", obj["metadata"]["name"]] = obj
        self._world.become(self._objects)

    def policies(self, **specs: Spec) -> None:
        """These policies, by name, and no others."""
        self._objects = {key: obj for key, obj in self._objects.items() if key[0] != "NetworkPolicy"}
        self.put(*(_policy(name, spec) for name, spec in specs.items()))

    @property
    def net(self) -> World:
        return World(self._world.state, self._world.switch)

    def syn(self, source: str, target: str, tcp_src: int, tcp_dst: int = PORT, ip_version: int = 4) -> list[Arrival]:
        to = self.net.address(target, ip_version)
        return self.net.from_pod(source, to, tcp_src=tcp_src, tcp_dst=tcp_dst)

    def connect(self, source: str, target: str, tcp_src: int) -> Arrival:
        """Both directions of a handshake; the packet as it arrived at the target."""
        (arrival,) = self.syn(source, target, tcp_src)
        assert self.answer(arrival)
        return arrival

    def answer(self, arrival: Arrival) -> list[Arrival]:
        return self.net.send(arrival.port, arrival.packet.reply())

    def more(self, source: str, target: str, tcp_src: int) -> list[Arrival]:
        """A segment of a connection that is established."""
        return self.net.from_pod(source, self.net.address(target), tcp_src=tcp_src, tcp_dst=PORT, flags=0x10)


def _namespace() -> Object:
    return {"kind": "Namespace", "metadata": {"name": "default", "labels": {}}}


def _policy(name: str, spec: Spec) -> Object:
    return {"kind": "NetworkPolicy", "metadata": {"namespace": "default", "name": name}, "spec": spec}


def of(name: str) -> Spec:
    return {"podSelector": {"matchLabels": {"app": name}}}


DENY_INGRESS = {"podSelector": {}, "policyTypes": ["Ingress"]}
DENY_ALL = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def among_all(port: int) -> Spec:
    """Everybody is isolated, and may talk to everybody on one port."""
    everybody: Spec = {"podSelector": {}}
    ports = [{"port": port}]
    return {**DENY_ALL, "ingress": [{"from": [everybody], "ports": ports}], "egress": [{"to": [everybody], "ports": ports}]}


@contextmanager
def shop(**options: Any) -> Iterator[Shop]:
    document = cluster_object(nodes=2, ip_family="dual")
    del document["metadata"]
    document["network"] |= options
    with policy_world(resolve(document)) as world:
        yield Shop(world)


def cached(made: Shop, target: str, tcp_src: int) -> set[str]:
    """The datapath's flows for what is sent on an established connection: matches with their masks, and actions."""
    made.net.switch.control("dpctl/del-flows")
    for _ in range(3):
        assert len(made.more("a", target, tcp_src)) == 1
    flows = made.net.switch.control("dpctl/dump-flows").splitlines()
    return {_VARYING.sub("", flow) for flow in flows if "actions:" in flow}


@pytest.fixture(scope="module")
def shared() -> Iterator[Shop]:
    with shop() as made:
        yield made


@pytest.mark.parametrize("target", ["b", "c"])
def test_answers_pass_where_neither_side_may_be_reached_or_begin(shared: Shop, target: str) -> None:
    allowed = {"policyTypes": ["Ingress", "Egress"]}
    shared.policies(
        client={**of("a"), **allowed, "egress": [{"to": [of(target)]}]},
        server={**of(target), **allowed, "ingress": [{"from": [of("a")]}]},
    )
    (arrival,) = shared.syn("a", target, 1001)
    assert len(shared.answer(arrival)) == 1
    assert shared.syn(target, "a", 1002) == []


@pytest.mark.parametrize("target", ["b", "c"])
def test_an_established_connection_outlives_a_policy_and_a_new_one_does_not_begin(shared: Shop, target: str) -> None:
    shared.policies()
    arrival = shared.connect("a", target, 1101)
    shared.policies(deny=DENY_ALL)
    assert len(shared.more("a", target, 1101)) == 1
    assert len(shared.answer(arrival)) == 1
    assert shared.syn("a", target, 1102) == []


@pytest.mark.parametrize("target", ["b", "c"])
def test_reevaluation_cuts_what_is_established(target: str) -> None:
    with shop(policyReevaluation=True) as made:
        made.connect("a", target, 1201)
        assert len(made.more("a", target, 1201)) == 1
        made.policies(deny={**of(target), **{"policyTypes": ["Ingress"]}})
        assert made.more("a", target, 1201) == []
        made.policies(deny={**of("a"), **{"policyTypes": ["Egress"]}})
        assert made.more("a", target, 1201) == []
        made.policies(server={**of(target), "ingress": [{"from": [of("a")]}]}, back={**of("a"), "policyTypes": ["Ingress"]})
        assert len(made.more("a", target, 1201)) == 1


@pytest.mark.parametrize("target", ["b", "c"])
def test_policies_cost_an_established_connection_nothing(target: str) -> None:
    """Its packets meet the very flows in the datapath that they would meet if there were no policy."""
    with shop() as made:
        made.connect("a", target, 1251)
        without = cached(made, target, 1251)
        made.policies(**{f"p{port}": among_all(port) for port in (PORT, *range(1000, 1100))})
        made.connect("a", target, 1252)
        assert cached(made, target, 1252) == without != set()


def test_a_connection_that_was_never_answered_is_judged_anew(shared: Shop) -> None:
    shared.policies()
    assert len(shared.syn("a", "c", 1301)) == 1
    shared.policies(deny=DENY_INGRESS)
    assert shared.syn("a", "c", 1301) == []


def test_what_was_denied_is_not_established_by_being_sent_again(shared: Shop) -> None:
    shared.policies(deny=DENY_INGRESS)
    assert shared.syn("a", "b", 1401) == []
    assert shared.more("a", "b", 1401) == []


def test_egress_is_judged_by_the_address_and_port_behind_a_service(shared: Shop) -> None:
    far = str(shared.net.address("c"))
    shared.put(service_object("web", [str(CLUSTER_IP)], PORT), slice_object("web", [far], TARGET_PORT))
    to_pod = {"to": [{"ipBlock": {"cidr": f"{far}/32"}}], "ports": [{"port": TARGET_PORT}]}
    shared.policies(pod={**of("a"), "policyTypes": ["Egress"], "egress": [to_pod]})
    (arrival,) = shared.net.from_pod("a", CLUSTER_IP, tcp_src=1501, tcp_dst=PORT)
    assert (arrival.packet.ip_dst, arrival.packet.tcp_dst) == (shared.net.address("c"), TARGET_PORT)
    (answer,) = shared.answer(arrival)
    assert answer.packet.ip_src == CLUSTER_IP
    to_service = {"to": [{"ipBlock": {"cidr": f"{CLUSTER_IP}/32"}}]}
    shared.policies(service={**of("a"), "policyTypes": ["Egress"], "egress": [to_service]})
    assert shared.net.from_pod("a", CLUSTER_IP, tcp_src=1502, tcp_dst=PORT) == []
    assert shared.net.from_pod("a", CLUSTER_IP, tcp_src=1502, tcp_dst=PORT) == [], "nor when it is sent again"


def test_ingress_is_judged_by_the_client_behind_a_service(shared: Shop) -> None:
    far = str(shared.net.address("c"))
    shared.put(service_object("web", [str(CLUSTER_IP)], PORT), slice_object("web", [far], TARGET_PORT))
    shared.policies(server={**of("c"), "ingress": [{"from": [of("a")], "ports": [{"port": TARGET_PORT}]}]})
    assert len(shared.net.from_pod("a", CLUSTER_IP, tcp_src=1601, tcp_dst=PORT)) == 1
    assert shared.net.from_pod("b", CLUSTER_IP, tcp_src=1602, tcp_dst=PORT) == []


def test_an_isolated_pod_reaches_itself_through_its_service(shared: Shop) -> None:
    own = str(shared.net.address("a"))
    shared.put(service_object("self", ["10.96.0.11"], PORT), slice_object("self", [own], TARGET_PORT))
    shared.policies(deny=DENY_ALL)
    (arrival,) = shared.net.from_pod("a", ip_address("10.96.0.11"), tcp_src=1701, tcp_dst=PORT)
    assert arrival.packet.ip_dst == shared.net.address("a")
    assert len(shared.answer(arrival)) == 1


@pytest.mark.parametrize("ip_version", [4, 6])
def test_its_own_node_reaches_an_isolated_pod_and_no_other_node_does(shared: Shop, ip_version: int) -> None:
    shared.policies(deny=DENY_ALL)
    to = shared.net.address("c", ip_version)
    (arrival,) = shared.net.from_node(2, to, tcp_src=1801, tcp_dst=PORT)
    assert len(shared.answer(arrival)) == 1
    assert shared.net.from_node(1, to, tcp_src=1802, tcp_dst=PORT) == []


@pytest.mark.parametrize("ip_version", [4, 6])
def test_an_isolated_pod_reaches_its_own_node_and_no_other(shared: Shop, ip_version: int) -> None:
    shared.policies(deny=DENY_ALL)
    own, other = (
        next(address for address in shared.net.node(index).gateway_addresses if address.version == ip_version)
        for index in (2, 1)
    )
    (arrival,) = shared.net.from_pod("c", own, tcp_src=1901, tcp_dst=PORT)
    assert arrival.port == trunk_name(shared.net.node(2))
    assert shared.net.from_pod("c", other, tcp_src=1902, tcp_dst=PORT) == []


def test_a_client_outside_is_judged_by_its_block(shared: Shop) -> None:
    outside, exposed, node = ip_address("192.0.2.1"), ip_address("198.51.100.9"), shared.net.node(2)
    service = service_object("exposed", ["10.96.0.99"], PORT)
    service["spec"]["externalIPs"] = [str(exposed)]
    shared.put(service, slice_object("exposed", [str(shared.net.address("c"))], PORT))
    syn = Packet(node.gateway_mac, "0a:00:00:00:00:01", outside, exposed, tcp_src=2001, tcp_dst=PORT)
    shared.policies(outside={**of("c"), "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}]})
    assert len(shared.net.send(trunk_name(node), syn)) == 1
    shared.policies(elsewhere={**of("c"), "ingress": [{"from": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}]})
    assert shared.net.send(trunk_name(node), Packet(**{**_fields(syn), "tcp_src": 2002})) == []


def _fields(packet: Packet) -> dict[str, Any]:
    return {name: getattr(packet, name) for name in packet.__dataclass_fields__}
