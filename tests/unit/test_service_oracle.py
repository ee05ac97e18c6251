"""The oracle itself, by cases that can be checked by reading: one sentence of the API each."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from cluster.service_oracle import DROPPED, REFUSED, ClientPlace, Outcome, outcome

ADDRESS = ip_address("10.96.0.5")
HERE, THERE = ClientPlace("worker", "east"), ClientPlace("worker2", "west")
Object = dict[str, Any]


def service(**spec: Any) -> Object:
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    return {"metadata": {"namespace": "x", "name": "web"}, "spec": {"clusterIP": str(ADDRESS), "ports": ports, **spec}}


def endpoint(last_octet: int, node: str = "worker", **more: Any) -> Object:
    return {"addresses": [f"10.244.0.{last_octet}"], "nodeName": node, **more}


def conditions(**values: bool) -> Object:
    return {"conditions": values}


def slice_of(*endpoints: Object, name: str = "http", port: int = 8080) -> Object:
    labels = {"kubernetes.io/service-name": "web"}
    ports = [{"name": name, "port": port, "protocol": "TCP"}]
    metadata = {"namespace": "x", "name": "web-1", "labels": labels}
    return {"metadata": metadata, "addressType": "IPv4", "ports": ports, "endpoints": list(endpoints)}


def reaches(*last_octets: int) -> Outcome:
    return Outcome("reaches", frozenset((ip_address(f"10.244.0.{octet}"), 8080) for octet in last_octets))


ENDING = conditions(ready=False, serving=True, terminating=True)
FOR = {"east": {"hints": {"forZones": [{"name": "east"}]}}, "worker2": {"hints": {"forNodes": [{"name": "worker2"}]}}}


@pytest.mark.parametrize(
    ("spec", "endpoints", "client", "expected"),
    [
        ({}, [], HERE, REFUSED),
        ({}, [endpoint(2), endpoint(3, **conditions(ready=False))], HERE, reaches(2)),
        ({}, [endpoint(2, **ENDING), endpoint(3)], HERE, reaches(3)),
        ({}, [endpoint(2, **ENDING), endpoint(3, **conditions(ready=False, serving=False))], HERE, reaches(2)),
        ({"internalTrafficPolicy": "Local"}, [endpoint(2), endpoint(3, "worker2")], HERE, reaches(2)),
        ({"internalTrafficPolicy": "Local"}, [endpoint(3, "worker2")], HERE, DROPPED),
        ({"internalTrafficPolicy": "Local"}, [], HERE, REFUSED),
        ({"internalTrafficPolicy": "Local"}, [endpoint(2, **ENDING), endpoint(3, "worker2")], HERE, reaches(2)),
        ({"trafficDistribution": "PreferClose"}, [endpoint(2, **FOR["east"]), endpoint(3)], HERE, reaches(2, 3)),
        ({"trafficDistribution": "PreferClose"}, [endpoint(2, **FOR["east"])], THERE, reaches(2)),
        ({}, [endpoint(2, **FOR["worker2"]), endpoint(3, **FOR["worker2"])], HERE, reaches(2, 3)),
        ({"type": "ExternalName"}, [endpoint(2)], HERE, DROPPED),
        ({"clusterIP": "None"}, [endpoint(2)], HERE, DROPPED),
    ],
)
def test_says_what_the_api_says(spec: Object, endpoints: list[Object], client: ClientPlace, expected: Outcome) -> None:
    assert outcome([service(**spec)], [slice_of(*endpoints)], client, ADDRESS, "TCP", 80) == expected


def test_hints_of_nodes_go_before_those_of_zones() -> None:
    near = {"hints": {"forZones": [{"name": "east"}], "forNodes": [{"name": "worker"}]}}
    same_zone = {"hints": {"forZones": [{"name": "east"}], "forNodes": [{"name": "other"}]}}
    endpoints = slice_of(endpoint(2, **near), endpoint(3, **same_zone))
    asked = [service(trafficDistribution="PreferSameNode")]
    assert outcome(asked, [endpoints], HERE, ADDRESS, "TCP", 80) == reaches(2)
    elsewhere = ClientPlace("worker9", "east")
    assert outcome(asked, [endpoints], elsewhere, ADDRESS, "TCP", 80) == reaches(2, 3)


def test_ports_meet_by_name_and_protocol() -> None:
    assert outcome([service()], [slice_of(endpoint(2), name="metrics")], HERE, ADDRESS, "TCP", 80) == REFUSED
    assert outcome([service()], [slice_of(endpoint(2))], HERE, ADDRESS, "UDP", 80) == DROPPED
    assert outcome([service()], [slice_of(endpoint(2))], HERE, ADDRESS, "TCP", 81) == DROPPED
