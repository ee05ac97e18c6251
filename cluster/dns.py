"""Services, EndpointSlices and Pods -> DNS records (Kubernetes DNS-Based Service Discovery, schema 1.1.0).

Names here are absolute, in lower case, and end with a dot. The records of one object depend on that object only (a
Service's on its EndpointSlices too), so they can be kept by object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Literal

from cluster.objects import Object, name, namespace
from cluster.ownership import is_finished
from cluster.reading.syntax import is_ip
from cluster.well_known import HEADLESS

ZONE = "cluster.local"
SCHEMA_VERSION = "1.1.0"
ZONES = (f"{ZONE}.", "in-addr.arpa.", "ip6.arpa.")
"""The zones that the cluster knows: its own and those of addresses, as in kubeadm's Corefile."""
TTL_S = 5
"""CoreDNS' default in its plugin for Kubernetes."""
VERSION_TTL_S = 28800
"""CoreDNS', for the dns-version record."""
_ALL_WEIGHTS = 100
"""SRV weights of one name add up to this, as in CoreDNS."""

Type = Literal["A", "AAAA", "CNAME", "NS", "PTR", "SOA", "SRV", "TXT"]


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record of class IN; `data` is written as in a zone file (RFC 1035, section 5.1).

    `target` is the name that a CNAME or SRV record leads to. Without a `ttl_s` it lives as long as the zone says.
    """

    name: str
    type: Type
    data: str
    target: str = ""
    ttl_s: int | None = None


def version_record() -> Record:
    """"dns-version.<zone>. <ttl> IN TXT <schema-version>" (section 2.2)."""
    return Record(f"dns-version.{ZONE}.", "TXT", f'"{SCHEMA_VERSION}"', ttl_s=VERSION_TTL_S)


def service_name(in_namespace: str, service: str) -> str:
    return f"{service}.{in_namespace}.svc.{ZONE}.".lower()


def service_records(service: Mapping[str, Any], slices: Iterable[Object]) -> tuple[Record, ...]:
    """All records of a Service and its EndpointSlices. Slices of a Service that is not headless are not looked at."""
    spec, owner = service["spec"], service_name(namespace(service), name(service))
    if spec.get("type") == "ExternalName":
        return tuple(_external_name(owner, str(spec["externalName"])))
    if spec.get("clusterIP") == HEADLESS:
        endpoints = [endpoint for one in slices for endpoint in _ready_endpoints(owner, one)]
        return tuple(dict.fromkeys(_headless(owner, endpoints)))
    return tuple(_with_cluster_ips(owner, spec))


def pod_records(pod: Mapping[str, Any]) -> tuple[Record, ...]:
    """"<a-b-c-d>.<ns>.pod.<zone>" for each address, as CoreDNS' `pods verified`: only of pods that exist."""
    if is_finished(pod):
        return ()
    ips = [str(entry["ip"]) for entry in pod.get("status", {}).get("podIPs", ())]
    return tuple(_address(f"{dashed(ip)}.{namespace(pod)}.pod.{ZONE}.".lower(), ip) for ip in ips)


def dashed(ip: str) -> str:
    """An address as a label: 10-244-1-2, fd00-10-244--2."""
    return ip.replace(".", "-").replace(":", "-")


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """A ready address behind a headless Service, under its own name. `ports`: name, protocol, number."""

    name: str
    ip: str
    ports: Sequence[tuple[str, str, int]]


def _external_name(owner: str, external: str) -> Iterator[Record]:
    target = f"{external.lower().rstrip('.')}."
    # An address in its place counts as "a DNS name comprised of digits"; CoreDNS makes no record of it either.
    if not is_ip(external):
        yield Record(owner, "CNAME", target, target)


def _with_cluster_ips(owner: str, spec: Mapping[str, Any]) -> Iterator[Record]:
    # Section 2.3: A/AAAA, SRV of each named port, PTR.
    ips = [str(ip) for ip in spec.get("clusterIPs") or ()]
    for ip in ips:
        yield _address(owner, ip)
        yield _pointer(ip, owner)
    if ips:
        ports = spec.get("ports") or ()
        targets = [(port.get("name", ""), port.get("protocol", "TCP"), int(port["port"]), owner) for port in ports]
        yield from _services(owner, targets)


def _headless(owner: str, endpoints: Sequence[_Endpoint]) -> Iterator[Record]:
    # Section 2.4: A/AAAA of the Service and of each hostname, SRV per endpoint and named port, PTR to the hostname.
    for endpoint in endpoints:
        yield _address(owner, endpoint.ip)
        yield _address(endpoint.name, endpoint.ip)
        yield _pointer(endpoint.ip, endpoint.name)
    targets = [(*port, endpoint.name) for endpoint in endpoints for port in endpoint.ports]
    yield from _services(owner, list(dict.fromkeys(targets)))


def _services(owner: str, targets: Sequence[tuple[str, str, int, str]]) -> Iterator[Record]:
    """SRV records of (port name, protocol, number, target), by port name and, as CoreDNS has them, of the Service.

    Clients that look for a StatefulSet's peers ask for the latter.
    """
    by_owner: dict[str, dict[tuple[int, str], None]] = {}
    for port_name, protocol, number, target in targets:
        by_owner.setdefault(owner, {})[number, target] = None
        if port_name:
            by_owner.setdefault(f"_{port_name}._{protocol}.{owner}".lower(), {})[number, target] = None
    for srv_owner, entries in by_owner.items():
        weight = max(1, _ALL_WEIGHTS // len(entries))
        for number, target in entries:
            yield Record(srv_owner, "SRV", f"0 {weight} {number} {target}", target)


def _ready_endpoints(owner: str, endpoint_slice: Mapping[str, Any]) -> Iterator[_Endpoint]:
    if endpoint_slice["addressType"] == "FQDN":
        return
    ports = [
        (port.get("name") or "", port.get("protocol") or "TCP", int(port["port"]))
        for port in endpoint_slice.get("ports") or ()
        if port.get("port") is not None
    ]
    for endpoint in endpoint_slice.get("endpoints") or ():
        # "A nil value indicates an unknown state. In most cases consumers should interpret this … as ready."
        if (endpoint.get("conditions") or {}).get("ready") is False:
            continue
        for ip in endpoint["addresses"]:
            # "…or a unique, system-assigned identifier": the address, as CoreDNS does it.
            hostname = endpoint.get("hostname") or dashed(str(ip))
            yield _Endpoint(f"{hostname}.{owner}".lower(), str(ip), ports)


def _address(owner: str, ip: str) -> Record:
    return Record(owner, "A" if ip_address(ip).version == 4 else "AAAA", ip)


def _pointer(ip: str, target: str) -> Record:
    return Record(f"{ip_address(ip).reverse_pointer}.", "PTR", target)
