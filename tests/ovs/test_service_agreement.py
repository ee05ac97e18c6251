"""Three answers to "where does this connection end?" agree: the oracle's, ofproto/trace's, and a real packet's.

Random clusters, the same at every run; MININETES_EXAMPLES says how many.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_address
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packets import TCP, UDP, Packet
from specs import cluster_object, pod_object, service_object, slice_object
from world import Arrival, World

from cluster.model import GATEWAY_MAC, REFUSING_ADDRESSES, PodInterface
from cluster.reading.config import resolve
from cluster.service_oracle import ClientPlace, Outcome, cluster_ips, outcome
from controller.compiler import compile
from controller.dummy_switch import DummySwitch, trunk_name
from controller.state import state_of

EXAMPLES = int(os.environ.get("MININETES_EXAMPLES", "30"))
CONNECTIONS = 6
NODE_PORT = 30100
OUTSIDE = (ip_address("172.18.255.1"), ip_address("fc00:f853:ccd:e793::ff01"))
HASHES = range(1, 65)
ZONES = ("east", "west", "west")
Object = dict[str, Any]


def made_cluster() -> Any:
    document = cluster_object(nodes=3, ip_family="dual")
    del document["metadata"]
    for node, zone in zip(document["nodes"], ZONES, strict=True):
        node["labels"] = {"topology.kubernetes.io/zone": zone}
    return resolve(document)


CLUSTER = made_cluster()
NODES = [node.name for node in CLUSTER.nodes]
PODS = [pod_object(CLUSTER, f"p{node}{number}", node, number) for node in (1, 2, 3) for number in (2, 3)]
CLIENTS = ("p12", "p22", "p32")


def addresses(family: int) -> list[tuple[str, str]]:
    """(address, node) of every pod, and of two nodes' own: endpoints of pods in the host's network."""
    pods = [(pod["status"]["podIPs"][family]["ip"], pod["spec"]["nodeName"]) for pod in PODS]
    return pods + [(str(node.addresses[family]), node.name) for node in CLUSTER.nodes[:2]]


def endpoint(place: tuple[str, str], conditions: Object, hint: str) -> Object:
    address, node = place
    entry: Object = {"addresses": [address], "nodeName": node, "conditions": conditions}
    zone = ZONES[NODES.index(node)]
    hints = {"zone": {"forZones": [{"name": zone}]}, "node": {"forNodes": [{"name": node}]}}
    return {**entry, "hints": hints[hint]} if hint else entry


CONDITIONS = st.sampled_from(
    [
        {},
        {"ready": True, "serving": True, "terminating": False},
        {"ready": False, "serving": False},
        {"ready": False, "serving": True, "terminating": True},
        {"ready": False, "serving": False, "terminating": True},
    ]
)
HINTS = st.sampled_from(["", "zone", "node"])
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "internalTrafficPolicy": st.sampled_from(["Cluster", "Local"]),
        "trafficDistribution": st.sampled_from(["PreferClose", "PreferSameZone", "PreferSameNode"]),
        "sessionAffinity": st.sampled_from(["None", "ClientIP"]),
        "externalTrafficPolicy": st.sampled_from(["Cluster", "Local"]),
    },
)


@st.composite
def services(draw: st.DrawFn) -> list[Object]:
    """Some Services with their slices, of either family or both."""
    objects: list[Object] = []
    for number in range(draw(st.integers(1, 3))):
        name, protocol = f"s{number}", draw(st.sampled_from(["TCP", "UDP"]))
        made = service_object(name, [f"10.96.0.{20 + number}", f"fd00:10:96::{20 + number:x}"], 80, protocol)
        made["spec"] |= {"type": "NodePort", "externalIPs": [f"203.0.113.{number}", f"2001:db8::{number:x}"], **draw(SPECS)}
        made["spec"]["ports"][0]["nodePort"] = NODE_PORT + number
        objects.append(made)
        hint = draw(HINTS)
        for family in (0, 1):
            places = draw(st.lists(st.sampled_from(addresses(family)), max_size=5, unique=True))
            behind = slice_object(name, [ip for ip, _ in places] or [addresses(family)[0][0]], 8080, protocol)
            behind["metadata"]["name"] += f"-{family}"
            behind["endpoints"] = [endpoint(place, draw(CONDITIONS), hint) for place in places]
            objects.append(behind)
    return objects


@pytest.fixture(scope="module")
def switch() -> Iterator[DummySwitch]:
    with DummySwitch() as running:
        running.add_bridges(state_of(CLUSTER, *PODS))
        yield running


@settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(services())
def test_oracle_trace_and_packets_agree(switch: DummySwitch, objects: list[Object]) -> None:
    state = state_of(CLUSTER, *PODS, *objects)
    tables = compile(state)
    switch.control("dpctl/flush-conntrack")
    for node in CLUSTER.nodes:
        switch.replace(node.bridge, tables[node.name])
    shop = World(state, switch)
    of_kind = {kind: [obj for obj in objects if obj["kind"] == kind] for kind in ("Service", "EndpointSlice")}
    for client, service in product(CLIENTS, of_kind["Service"]):
        pod = shop.pod(client)
        place = ClientPlace(pod.node, ZONES[NODES.index(pod.node)])
        for address in cluster_ips(service):
            protocol = service["spec"]["ports"][0]["protocol"]
            said = outcome(of_kind["Service"], of_kind["EndpointSlice"], place, address, protocol, 80)
            traced = _traced(shop, pod, address, protocol, exhaustive=client == CLIENTS[0])
            _assert_agree(said, traced, service, exhaustive=client == CLIENTS[0])
            _assert_agree(said, _sent(shop, client, address, protocol), service, exhaustive=False)
    _assert_outside_agrees(shop, of_kind["Service"], of_kind["EndpointSlice"])


def _assert_outside_agrees(shop: World, made: list[Object], slices: list[Object]) -> None:
    """From outside by each node, and from a pod: to node ports and external addresses."""
    nodes_addresses = [address for node in CLUSTER.nodes for address in node.addresses]
    for service, node, family in product(made, CLUSTER.nodes, (0, 1)):
        port = service["spec"]["ports"][0]
        client = OUTSIDE[family]
        for address, number in (
            (node.addresses[family], port["nodePort"]), (ip_address(service["spec"]["externalIPs"][family]), 80),
            (cluster_ips(service)[family], 80),
        ):  # fmt: skip
            place = ClientPlace(node.name, ZONES[node.index - 1], client)
            said = outcome(made, slices, place, address, port["protocol"], number, nodes_addresses)
            sent = replace(
                Packet(node.gateway_mac, GATEWAY_MAC, client, address), tcp_src=24000, tcp_dst=number,
                ip_proto=TCP if port["protocol"] == "TCP" else UDP,
            )  # fmt: skip
            _assert_agree(said, _arrived(shop.send(trunk_name(node), sent)), service, exhaustive=False)
        pod = next(name for name in CLIENTS if shop.pod(name).node == node.name)
        place = ClientPlace(node.name, ZONES[node.index - 1])
        said = outcome(made, slices, place, node.addresses[family], port["protocol"], port["nodePort"], nodes_addresses)
        found = _sent(shop, pod, node.addresses[family], port["protocol"], port["nodePort"])
        _assert_agree(said, found, service, exhaustive=False)


def _assert_agree(said: Outcome, found: Sequence[Outcome], service: Object, exhaustive: bool) -> None:
    assert {each.verdict for each in found} == {said.verdict}, (said, found)
    union = frozenset().union(*(each.endpoints for each in found))
    assert union <= said.endpoints, (said, found)
    if exhaustive and service["spec"].get("sessionAffinity") != "ClientIP":
        assert union == said.endpoints, (said, found)


_NAT = re.compile(r"nat\(dst=\[?([0-9a-f.:]+?)\]?:(\d+)\)\),recirc")


def _traced(shop: World, pod: PodInterface, address: Any, protocol: str, exhaustive: bool) -> list[Outcome]:
    """One per value that the select group's hash may have; for UDP, per source port (multipath hashes it)."""
    client = shop.address(pod.name, address.version)
    word = f"{protocol.lower()}{6 if address.version == 6 else ''}"
    ip = "ipv6" if address.version == 6 else "nw"
    found = []
    for value in HASHES if exhaustive else HASHES[:2]:
        packet = (
            f"in_port={pod.of_port},dl_src={pod.mac},dl_dst={GATEWAY_MAC},{word},"
            f"{ip}_src={client},{ip}_dst={address},nw_ttl=64,{protocol.lower()}_src={1000 + value},{protocol.lower()}_dst=80,dp_hash={value}"
        )
        text = shop.switch.trace(shop.cluster.node_by_name[pod.node].bridge, packet)
        translated = _NAT.search(text)
        if translated is None:
            assert text.rstrip().endswith("Datapath actions: drop"), text
            found.append(Outcome("dropped"))
        else:
            found.append(_outcome_at(ip_address(translated[1]), int(translated[2])))
        if translated and not exhaustive:
            break
    return found


def _outcome_at(address: Any, port: int) -> Outcome:
    if address == REFUSING_ADDRESSES[address.version]:
        return Outcome("refused")
    return Outcome("reaches", frozenset({(address, port)}))


def _sent(shop: World, client: str, address: Any, protocol: str, number: int = 80) -> list[Outcome]:
    found = []
    for port in range(20000, 20000 + CONNECTIONS):
        sent = {"tcp_src": port, "tcp_dst": number, "ip_proto": TCP if protocol == "TCP" else UDP}
        found += _arrived(shop.from_pod(client, address, **sent))
    return found


def _arrived(arrivals: Sequence[Arrival]) -> list[Outcome]:
    assert len(arrivals) <= 1, arrivals
    return [_outcome_at(arrival.packet.ip_dst, arrival.packet.tcp_dst) for arrival in arrivals] or [Outcome("dropped")]
