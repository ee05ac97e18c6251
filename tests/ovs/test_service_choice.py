"""Which endpoints a client may reach, and which one again: affinity, conditions, traffic policies, hints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from packets import TCP, UDP
from specs import cluster_object, model, pod_object, service_object, slice_object
from world import World, world

from cluster.model import REFUSING_ADDRESSES, Cluster
from cluster.objects import Object
from cluster.reading.config import resolve
from controller.compiler import Compiler, compile
from controller.pipeline import SESSION_AFFINITY, TABLE_ID
from controller.state import Change, NetworkState, apply, object_key, state_of

STICKY, STICKY_UDP, LOCAL, ELSEWHERE, ENDING, HINTED, LONG = (
    ip_address(f"10.96.0.{number}") for number in range(20, 27)
)
B, C = "10.244.0.3", "10.244.1.2"
NODES = ("control-plane", "worker")


def endpoint(address: str, node: int, hints: Any = None, **conditions: bool) -> dict[str, Any]:
    entry = {"addresses": [address], "nodeName": NODES[node - 1], "conditions": {"ready": True, **conditions}}
    return {**entry, "hints": hints} if hints else entry


def objects(name: str, address: object, entries: list[Any], protocol: str = "TCP", **spec: Any) -> list[Any]:
    made = service_object(name, [str(address)], 80, protocol)
    made["spec"] |= spec
    behind = slice_object(name, [entry["addresses"][0] for entry in entries], 8080, protocol)
    behind["endpoints"] = entries
    return [made, behind]


def client_ip(timeout_s: int) -> dict[str, Any]:
    return {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": timeout_s}}}


@pytest.fixture(scope="module")
def shop() -> Iterator[World]:
    both = [endpoint(B, 1), endpoint(C, 2)]
    not_ready = {"ready": False, "serving": True, "terminating": True}
    with world(
        *objects("sticky", STICKY, both, **client_ip(2)),
        *objects("sticky-udp", STICKY_UDP, both, "UDP", **client_ip(10800)),
        *objects("long", LONG, both, **client_ip(86400)),
        *objects("local", LOCAL, both, internalTrafficPolicy="Local"),
        *objects("elsewhere", ELSEWHERE, [endpoint(C, 2)], internalTrafficPolicy="Local"),
        *objects("ending", ENDING, [endpoint(B, 1, **not_ready), endpoint(C, 2, ready=False, serving=False)]),
        *objects(
            "hinted", HINTED,
            [endpoint(B, 1, {"forNodes": [{"name": NODES[0]}]}), endpoint(C, 2, {"forNodes": [{"name": NODES[1]}]})],
            trafficDistribution="PreferSameNode",
        ),
    ) as made:  # fmt: skip
        yield made


def reached(shop: World, client: str, address: Any, ip_proto: int = TCP, first: int = 41000, count: int = 12) -> set[str]:
    found = set()
    for port in range(first, first + count):
        (arrival,) = shop.from_pod(client, address, tcp_src=port, tcp_dst=80, ip_proto=ip_proto)
        found.add(str(arrival.packet.ip_dst))
    return found


@pytest.mark.parametrize(("address", "ip_proto"), [(STICKY, TCP), (STICKY_UDP, UDP), (LONG, TCP)])
def test_a_client_stays_with_its_endpoint(shop: World, address: Any, ip_proto: int) -> None:
    of_client = {client: reached(shop, client, address, ip_proto) for client in ("a", "b", "c")}
    assert all(len(found) == 1 for found in of_client.values()), of_client


def learned(shop: World) -> str:
    return shop.switch.ofctl("dump-flows", shop.node(1).bridge, f"table={TABLE_ID[SESSION_AFFINITY]}")


def test_affinity_ends_after_its_timeout_without_a_connection(shop: World) -> None:
    reached(shop, "a", STICKY, first=42000, count=2)
    flow = next(line for line in learned(shop).splitlines() if f"nw_src=10.244.0.2,nw_dst={STICKY}" in line)
    assert "idle_timeout=2," in flow
    forever = [line for line in learned(shop).splitlines() if f"nw_dst={LONG}" in line]
    assert not any("timeout" in line for line in forever)


def test_internal_traffic_policy_local_stays_on_the_clients_node(shop: World) -> None:
    assert reached(shop, "a", LOCAL) == {B}
    assert reached(shop, "c", LOCAL) == {C}


def test_internal_traffic_policy_local_drops_where_no_endpoint_is(shop: World) -> None:
    assert reached(shop, "c", ELSEWHERE) == {C}
    assert shop.from_pod("a", ELSEWHERE, tcp_dst=80) == []


def test_an_endpoint_that_serves_while_it_terminates_is_the_last_resort(shop: World) -> None:
    assert reached(shop, "c", ENDING) == {B}


def test_node_hints_keep_traffic_on_the_node(shop: World) -> None:
    assert reached(shop, "a", HINTED) == {B}
    assert reached(shop, "c", HINTED) == {C}


def test_a_connection_survives_every_change_but_the_loss_of_its_endpoint() -> None:
    address = ip_address("10.96.0.40")
    with world(*objects("web", address, [endpoint(B, 1), endpoint(C, 2)])) as shop:
        opened = shop.from_pod("a", address, tcp_src=5000, tcp_dst=80)[0]
        to = str(opened.packet.ip_dst)
        other = [endpoint(C, 2)] if to == B else [endpoint(B, 1)]
        unready = endpoint(to, 1 if to == B else 2, ready=False, serving=True)
        for changed in (
            objects("web", address, [unready, *other]),
            objects("web", address, [unready, *other], **client_ip(60)),
            objects("web", address, [unready, *other], internalTrafficPolicy="Local"),
        ):
            apply(shop.state, [Change(obj["kind"], object_key(obj), obj) for obj in changed])
            tables = compile(shop.state)
            for node in shop.cluster.nodes:
                shop.switch.replace(node.bridge, tables[node.name])
            (arrival,) = shop.from_pod("a", address, tcp_src=5000, tcp_dst=80, flags=0x10)
            assert str(arrival.packet.ip_dst) == to


def test_what_udp_connections_were_translated_to_is_told_when_it_ends() -> None:
    cluster = model(nodes=2)
    address = ip_address("10.96.0.41")
    before = objects("dns", address, [endpoint(B, 1), endpoint(C, 2)], "UDP")
    state = world_state(cluster, *before)
    compiler = Compiler(state)
    for entries, gone in (
        ([endpoint(B, 1), endpoint(C, 2, ready=False, serving=True)], []),
        ([endpoint(B, 1), endpoint(C, 2, ready=False, serving=False)], [C]),
        ([endpoint(B, 1, ready=False, serving=False)], [B]),
        ([endpoint(B, 1)], [str(REFUSING_ADDRESSES[4])]),
    ):
        now = objects("dns", address, entries, "UDP")
        compiler.update(state, apply(state, [Change(obj["kind"], object_key(obj), obj) for obj in now]))
        assert [str(each.endpoint) for each in compiler.ended] == gone
        compiler.ended.clear()


def world_state(cluster: Cluster, *more: Object) -> NetworkState:
    return state_of(cluster, pod_object(cluster, "a", 1, 2), *more)


def test_the_model_of_a_zone() -> None:
    """Zones come from the nodes' labels; hints for a zone that no endpoint names are passed over."""
    document = cluster_object(nodes=2)
    del document["metadata"]
    document["nodes"][1]["labels"] = {"topology.kubernetes.io/zone": "east"}
    cluster = resolve(document)
    zoned = [endpoint(B, 1, {"forZones": [{"name": "west"}]}), endpoint(C, 2, {"forZones": [{"name": "east"}]})]
    made = objects("web", "10.96.0.42", zoned, trafficDistribution="PreferClose")
    state = world_state(cluster, *made)
    service, slices = state.services["default/web"], state.endpoint_slices["default/web"].values()
    from controller.service_endpoints import choice, targets

    found = targets(service.ports[0], 4, slices)
    east = choice(service, found, cluster.nodes[1], False)
    assert [str(address) for address, _ in east.targets] == [C]
    assert len(choice(service, found, cluster.nodes[0], False).targets) == 2
    assert len(choice(replace(service, uses_hints=False), found, cluster.nodes[1], False).targets) == 2
