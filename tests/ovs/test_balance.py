"""Every endpoint gets its share: new connections, drawn in a real switch, are uniform by a chi-square test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, ip_address
from random import Random

import pytest
from packets import TCP, UDP
from specs import service_object, slice_object
from world import World, world

CLUSTER_IP = {10: ip_address("10.96.0.10"), 64: ip_address("10.96.0.64"), 200: ip_address("10.96.1.0")}
UDP_CLUSTER_IP = {10: ip_address("10.96.2.10"), 200: ip_address("10.96.3.0")}
CRITICAL_AT_0_001 = {9: 27.88, 63: 103.44, 199: 266.4}
"""Chi-square by degrees of freedom (NIST/SEMATECH e-Handbook, 1.3.6.7.4; 199 by the Wilson-Hilferty approximation)."""


def endpoints(count: int) -> list[str]:
    return [str(IPv4Address("10.244.1.2") + number) for number in range(count)]


@pytest.fixture(scope="module")
def spread() -> Iterator[World]:
    objects = []
    for protocol, addresses in (("TCP", CLUSTER_IP), ("UDP", UDP_CLUSTER_IP)):
        for count, address in addresses.items():
            name = f"{protocol.lower()}-{count}"
            objects.append(service_object(name, [str(address)], 80, protocol))
            objects.append(slice_object(name, endpoints(count), 8080, protocol))
    with world(*objects) as made:
        yield made


def chi_square(counts: Counter[object], possible: int) -> float:
    expected = counts.total() / possible
    missing = possible - len(counts)
    return sum((seen - expected) ** 2 / expected for seen in counts.values()) + missing * expected


@pytest.mark.parametrize(
    ("ip_proto", "count", "connections"),
    [(TCP, 10, 10000), (UDP, 10, 10000), (TCP, 64, 6400), (TCP, 200, 10000), (UDP, 200, 10000)],
)
def test_connections_spread_uniformly(spread: World, ip_proto: int, count: int, connections: int) -> None:
    addresses = CLUSTER_IP if ip_proto == TCP else UDP_CLUSTER_IP
    ports = Random(count).sample(range(1024, 65536), connections)
    for port in ports:
        spread.post_from_pod("a", addresses[count], tcp_src=port, tcp_dst=80, ip_proto=ip_proto)
    counts = Counter(arrival.packet.ip_dst for arrival in spread.arrivals())
    assert counts.total() == connections
    assert chi_square(counts, count) < CRITICAL_AT_0_001[count - 1], counts


def test_the_chi_square_test_sees_what_is_not_uniform() -> None:
    skewed: Counter[object] = Counter({number: 1250 if number < 4 else 833 for number in range(10)})
    assert chi_square(skewed, 10) > CRITICAL_AT_0_001[9]
    assert chi_square(Counter({0: 40}), 10) > CRITICAL_AT_0_001[9]
