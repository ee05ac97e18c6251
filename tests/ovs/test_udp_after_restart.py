"""UDP never says that it ends: a controller that starts forgets what led to endpoints that ended while none ran."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

import pytest
from specs import model, pod_object, service_object, slice_object
from wire import Wire, messages

from cluster.model import REFUSING_ADDRESSES, REFUSING_PORT
from controller import decode, encode
from controller.compiler import compile
from controller.flow import FlowTable, Translation
from controller.pipeline import conntrack_zones
from controller.state import state_of
from controller.switch import Switch

CLUSTER = model(nodes=1, ip_family="dual")
NODE = CLUSTER.nodes[0]
SERVICE_IPS = {subnet.version: str(subnet.network_address + 9) for subnet in CLUSTER.service_subnets}
ZONE = conntrack_zones(1)[0]
both_families = pytest.mark.parametrize("version", [4, 6])


def endpoint(version: int, number: int) -> str:
    return str(next(cidr for cidr in NODE.pod_cidrs if cidr.version == version).network_address + number)


def table(version: int, numbers: Iterable[int], protocol: str = "UDP") -> FlowTable:
    """What a switch must hold for one Service with these endpoints."""
    addresses = [endpoint(version, number) for number in numbers]
    made = [service_object("s", [SERVICE_IPS[version]], protocol=protocol)]
    if addresses:
        made.append(slice_object("s", addresses, protocol=protocol))
    pods = [pod_object(CLUSTER, f"p{number}", 0, number) for number in range(2, 6)]
    return compile(state_of(CLUSTER, *pods, *made))[NODE.name]


def leading_to(version: int, number: int) -> Translation:
    return Translation("UDP", None, None, ip_address(endpoint(version, number)), 8080)


def refused(version: int) -> Translation:
    return Translation("UDP", None, None, REFUSING_ADDRESSES[version], REFUSING_PORT)


def forgotten(held: FlowTable, wanted: FlowTable) -> list[bytes]:
    """The flushes that a new controller sends to a switch that holds all of a table."""
    wire = Wire()
    switch = Switch(NODE.name, ZONE, wire.send)
    switch.connected()
    switch.holds_flows({flow.key: flow.wire for flow in held.flows.values()}, last=True)
    switch.holds_groups(held.groups, last=True)
    wire.sent.clear()
    switch.want(1, wanted)
    return flushes(b"".join(wire.sent))


def flushes(wire: bytes) -> list[bytes]:
    return sorted(
        body for kind, _, body in messages(wire) if kind == encode.OFPT_EXPERIMENTER and body.startswith(FLUSH)
    )


def flush(*ended: Translation) -> list[bytes]:
    return sorted(encode.flush_connections(each, ZONE).body for each in ended)


FLUSH = flush(leading_to(4, 2))[0][:8]


@both_families
def test_a_flow_says_where_it_translates_udp_to(version: int) -> None:
    found = {decode.udp_translation(flow.wire) for flow in table(version, [2, 3]).flows.values()}
    assert found == {None, leading_to(version, 2), leading_to(version, 3)}


@both_families
def test_no_flow_of_tcp_does(version: int) -> None:
    assert {decode.udp_translation(flow.wire) for flow in table(version, [2, 3], "TCP").flows.values()} == {None}


@both_families
def test_an_endpoint_that_ended_meanwhile_is_forgotten(version: int) -> None:
    assert forgotten(table(version, [2, 3]), table(version, [3])) == flush(leading_to(version, 2))


@both_families
def test_one_that_has_another_number_now_is_not(version: int) -> None:
    """Two flows are replaced; only one endpoint is gone."""
    assert forgotten(table(version, [2, 3, 4]), table(version, [3, 4, 5])) == flush(leading_to(version, 2))


@both_families
def test_who_was_refused_is_asked_for_again(version: int) -> None:
    assert forgotten(table(version, []), table(version, [2])) == flush(refused(version))


def test_nothing_is_forgotten_where_nothing_changed() -> None:
    assert forgotten(table(4, [2, 3]), table(4, [2, 3])) == []
