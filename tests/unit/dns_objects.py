"""Services, EndpointSlices and pods for the tests of DNS, and questions about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import samples

from cluster import dns_answers
from cluster.client import Batch, Event
from cluster.corefile import parse
from cluster.dns import ZONE
from cluster.dns_answers import Answer
from cluster.dns_index import Index
from cluster.dns_state import DnsState
from cluster.objects import Object
from cluster.system import COREFILE

HTTP = {"name": "http", "port": 80}
SVC = f"svc.{ZONE}."


def answer(found: Index, name: str, type: str, corefile: str = COREFILE) -> Answer:
    return dns_answers.answer(found, parse(corefile), name, type)


def service(name: str = "web", ips: Sequence[str] = ("10.96.1.1",), **spec: Any) -> Object:
    return samples.service(name, **{"clusterIP": ips[0], "clusterIPs": list(ips), "ports": [HTTP], **spec})


def headless(name: str = "db", **spec: Any) -> Object:
    return service(name, ("None",), **spec)


def endpoint(ip: str, hostname: str = "", ready: bool | None = True) -> Object:
    named = {"hostname": hostname} if hostname else {}
    return {"addresses": [ip], "conditions": {} if ready is None else {"ready": ready}, **named}


def endpoint_slice(service_name: str, *endpoints: Object, ports: Sequence[Object] = (HTTP,), name: str = "s") -> Object:
    ipv6 = any(":" in one["addresses"][0] for one in endpoints)
    labels = {"kubernetes.io/service-name": service_name}
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": f"{service_name}-{name}", "namespace": "default", "labels": labels},
        "addressType": "IPv6" if ipv6 else "IPv4",
        "endpoints": list(endpoints),
        "ports": list(ports),
    }


def addressed(name: str, *ips: str, **status: Any) -> Object:
    return {**samples.pod(name), "status": {"podIPs": [{"ip": ip} for ip in ips], **status}}


def added(*objects: Object) -> Batch:
    return Batch(1, tuple(Event("ADDED", obj) for obj in objects))


def index(*objects: Object) -> Index:
    return DnsState().take(added(*objects))


def data(found: Index, name: str, type: str = "A") -> list[str]:
    said = answer(found, name, type)
    assert said.status == "NOERROR", said
    return [record.data for record in said.records]


def status(found: Index, name: str, type: str = "A") -> str:
    """NODATA is what RFC 2308 calls a name that exists, but without this type."""
    said = answer(found, name, type)
    assert bool(said.authority) == (said.authoritative and not said.records), said
    return "NODATA" if said.status == "NOERROR" and not said.records else said.status


def external(name: str, target: str) -> Object:
    return samples.service(name, type="ExternalName", externalName=target)
