"""How clients address a Service: its cluster addresses, a port of every node, addresses from outside the cluster."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import collapse_addresses

from cluster.model import IPAddress
from controller.match import Match, MatchField, bits, eth_type, ip_dst, ip_proto, ip_src, transport_dst
from controller.pipeline import FROM_OUTSIDE, NODE_ADDRESS
from controller.state import NetworkState, Service, ServicePort

Claim = tuple[IPAddress, str, int]
"""An address, protocol and port that belong to one Service."""


@dataclass(frozen=True, slots=True)
class Frontend:
    """One way to a port of a Service. `address` None: any node's; `local`: whether whoever comes by it reaches
    endpoints on the node that balances only; `matches`: what packets to it have, one match for each kind of client."""

    protocol: str
    address: IPAddress | None
    number: int
    local: bool
    matches: tuple[Match, ...]


def frontends(service: Service, port: ServicePort, ip_version: int, taken: Collection[Claim] = ()) -> Iterator[Frontend]:
    """Those of one IP family. `taken`: what other Services have already."""
    for address in service.cluster_ips:
        if address.version == ip_version:
            match = _match(port, ip_version, port.service_port, ip_dst(address))
            yield Frontend(
                port.protocol, address, port.service_port, service.internal_traffic_is_local, (match,)
            )
    if port.node_port:
        match = _match(port, ip_version, port.node_port, bits(NODE_ADDRESS, 1))
        yield from _by_origin(service, port, None, port.node_port, (match,))
    for address in service.exposed_addresses:
        if address.version == ip_version and (address, port.protocol, port.service_port) not in taken:
            match = _match(port, ip_version, port.service_port, ip_dst(address))
            limited = address in service.load_balancer_ips and service.only_from is not None
            matches = _from_ranges(service, match, ip_version) if limited else (match,)
            yield from _by_origin(service, port, address, port.service_port, matches)


def taken(service: Service, state: NetworkState) -> frozenset[Claim]:
    """What of a Service's external addresses is another's: that of an earlier name, or of the service range."""
    earlier = {
        key for address in service.exposed_addresses for key in state.exposed.get(address, ()) if key < service.key
    }
    ranges = state.cluster.service_subnets
    in_range = [address for address in service.exposed_addresses if any(address in subnet for subnet in ranges)]
    held = [(service, in_range), *((state.services[key], state.services[key].exposed_addresses) for key in earlier)]
    return frozenset(
        (address, port.protocol, port.service_port)
        for holder, addresses in held for address in addresses for port in holder.ports
    )  # fmt: skip


def limits(service: Service, port: ServicePort, ip_version: int) -> Iterator[Match]:
    """Packets to a load balancer's addresses that come from where they may not (loadBalancerSourceRanges)."""
    if service.only_from is not None:
        for address in dict.fromkeys(service.load_balancer_ips):
            if address.version == ip_version:
                yield _match(port, ip_version, port.service_port, ip_dst(address))


def _by_origin(
    service: Service, port: ServicePort, address: IPAddress | None, number: int, matches: tuple[Match, ...]
) -> Iterator[Frontend]:
    """externalTrafficPolicy is for clients outside; those inside reach all endpoints by these addresses (KEP-1669's
    "short-circuit", kube-proxy's KUBE-EXT chains)."""
    if not service.external_traffic_is_local:
        yield Frontend(port.protocol, address, number, False, matches)
        return
    for outside, local in ((1, True), (0, False)):
        of_origin = tuple((*match, bits(FROM_OUTSIDE, outside)) for match in matches)
        yield Frontend(port.protocol, address, number, local, of_origin)


def _match(port: ServicePort, ip_version: int, number: int, to: MatchField) -> Match:
    return (eth_type(ip_version), ip_proto(port.protocol), to, transport_dst(port.protocol, number))


def _from_ranges(service: Service, match: Match, ip_version: int) -> tuple[Match, ...]:
    ranges = [each for each in service.only_from or () if each.version == ip_version]
    return tuple((*match, ip_src(each)) for each in collapse_addresses(ranges))  # type: ignore[type-var]
