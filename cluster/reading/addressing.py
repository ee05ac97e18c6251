"""Which addresses a cluster has: the ranges of pods and Services, each node's share, the underlay's addresses.

Defaults are kind's (sigs.k8s.io/kind/pkg/apis/config/v1alpha4/default.go, and its docker network).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import combinations
from typing import Any

from cluster.model import IPAddress, IPFamily, IPNetwork
from cluster.reading.findings import Finding, found

VERSIONS: Mapping[IPFamily, tuple[int, ...]] = {"ipv4": (4,), "ipv6": (6,), "dual": (4, 6)}
"""IP versions by family, in the order in which addresses are listed."""

DEFAULT_SUBNETS = {
    "podSubnet": {4: "10.244.0.0/16", 6: "fd00:10:244::/56"},
    "serviceSubnet": {4: "10.96.0.0/16", 6: "fd00:10:96::/112"},
}

UNDERLAY_SUBNETS: Mapping[int, IPNetwork] = {
    4: IPv4Network("172.18.0.0/16"),
    6: IPv6Network("fc00:f853:ccd:e793::/64"),
}

DEFAULT_POOLS = {4: "172.18.254.0/24", 6: "fc00:f853:ccd:e793::fe00/120"}
"""Addresses of load balancers: of the underlay, behind all nodes and before the external clients."""

NODE_PREFIX_LENGTH = {4: 24, 6: 64}
"""Each node's share of the pod range: kube-controller-manager's --node-cidr-mask-size-ipv4 and -ipv6."""

POOL = "loadBalancerSubnet"
_BITS = {4: 32, 6: 128}
_MAX_SERVICE_BITS = 20
"""The API server refuses Service ranges of more than 2^20 addresses (cmd/kube-apiserver validation)."""
_MIN_SERVICE_BITS = 4
"""As kubeadm, "because the DNS service is always at the tenth" address (constants.MinimumAddressesInServiceSubnet)."""
_FIRST_NODE_OFFSET = 1
"""The first node is .2: .1 is left for a router, as on kind's docker network."""
_FIRST_CLIENT_OFFSET = 0xFF00
"""External clients are 172.18.255.1 and on, out of the way of any number of nodes."""


def family(networking: Mapping[str, Any]) -> IPFamily:
    chosen: IPFamily = networking.get("ipFamily", "ipv4")
    return chosen


def subnets(networking: Mapping[str, Any], name: str) -> tuple[IPNetwork, ...]:
    """The ranges of `podSubnet` or `serviceSubnet`, IPv4 first. Raises ValueError on what is no range."""
    versions = VERSIONS[family(networking)]
    if name not in networking:
        return tuple(ip_network(DEFAULT_SUBNETS[name][version]) for version in versions)
    parsed = [ip_network(part.strip()) for part in networking[name].split(",")]
    return tuple(sorted(parsed, key=lambda subnet: subnet.version))


def pools(networking: Mapping[str, Any]) -> tuple[IPNetwork, ...]:
    """The ranges of `loadBalancerSubnet`, IPv4 first. Raises ValueError on what is no range."""
    if POOL in networking:
        return subnets(networking, POOL)
    return tuple(ip_network(DEFAULT_POOLS[version]) for version in VERSIONS[family(networking)])


def router_addresses(chosen: IPFamily) -> tuple[IPAddress, ...]:
    """Those of the switch at the edge of the underlay: the first, as on kind's docker network."""
    return _underlay_addresses(chosen, 1)


def underlay_subnets(chosen: IPFamily) -> tuple[IPNetwork, ...]:
    return tuple(UNDERLAY_SUBNETS[version] for version in VERSIONS[chosen])


def pod_cidrs(pod_subnets: Sequence[IPNetwork], index: int) -> tuple[IPNetwork, ...]:
    """The share of node number `index` (from 1): the first node has the first /24 (/64) of the range."""
    shares: list[IPNetwork] = []
    for subnet in pod_subnets:
        length = NODE_PREFIX_LENGTH[subnet.version]
        base = subnet.network_address + ((index - 1) << (_BITS[subnet.version] - length))
        shares.append(ip_network((base, length)))
    return tuple(shares)


def node_addresses(chosen: IPFamily, index: int) -> tuple[IPAddress, ...]:
    return _underlay_addresses(chosen, _FIRST_NODE_OFFSET + index)


def client_addresses(chosen: IPFamily, index: int) -> tuple[IPAddress, ...]:
    return _underlay_addresses(chosen, _FIRST_CLIENT_OFFSET + index)


def _underlay_addresses(chosen: IPFamily, offset: int) -> tuple[IPAddress, ...]:
    return tuple(subnet.network_address + offset for subnet in underlay_subnets(chosen))


def findings(networking: Mapping[str, Any], node_count: int) -> Iterator[Finding]:
    """What is wrong with the ranges; paths relative to `networking`."""
    known: dict[str, tuple[IPNetwork, ...]] = {}
    for name in DEFAULT_SUBNETS:
        wrong = list(_syntax_findings(networking, name))
        yield from wrong
        if not wrong:
            known[name] = subnets(networking, name)
    yield from _size_findings(known, node_count)
    yield from _overlap_findings(networking, known)


def pool_findings(networking: Mapping[str, Any], node_count: int, client_count: int) -> Iterator[Finding]:
    """What is wrong with `loadBalancerSubnet`: its form, or that its addresses are somebody's already."""
    wrong = list(_syntax_findings(networking, POOL))
    yield from wrong
    if wrong or POOL not in networking:
        return
    chosen = family(networking)
    taken = [("a node", node_addresses(chosen, index)) for index in range(1, node_count + 1)]
    taken += [("an external client", client_addresses(chosen, index)) for index in range(1, client_count + 1)]
    for pool in pools(networking):
        for whose, addresses in [("the underlay's router", router_addresses(chosen)), *taken]:
            for address in addresses:
                if address in pool:
                    yield Finding((POOL,), f"found '{pool}'; holds {address}, which is that of {whose}")
                    return
        for name in DEFAULT_SUBNETS:
            for subnet in _sound_subnets(networking, name):
                if subnet.version == pool.version and subnet.overlaps(pool):
                    yield Finding((POOL,), f"found '{pool}'; overlaps the {name} {subnet}")


def _sound_subnets(networking: Mapping[str, Any], name: str) -> tuple[IPNetwork, ...]:
    return () if any(_syntax_findings(networking, name)) else subnets(networking, name)


def _syntax_findings(networking: Mapping[str, Any], name: str) -> Iterator[Finding]:
    if name not in networking:
        return
    text, chosen = networking[name], family(networking)
    versions = VERSIONS[chosen]
    parsed: list[IPNetwork] = []
    for part in text.split(","):
        try:
            parsed.append(ip_network(part.strip()))
        except ValueError:
            yield Finding((name,), found(part.strip(), _cidr_rule(part.strip())))
            return
    if sorted(subnet.version for subnet in parsed) != list(versions):
        wanted = " and ".join(f"one IPv{version}" for version in versions)
        yield Finding((name,), found(text, f"must be {wanted} range with ipFamily {chosen}"))


def _cidr_rule(text: str) -> str:
    try:
        return f"has host bits set; must be {ip_network(text, strict=False)}"
    except ValueError:
        return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def _size_findings(known: Mapping[str, tuple[IPNetwork, ...]], node_count: int) -> Iterator[Finding]:
    for subnet in known.get("podSubnet", ()):
        length = NODE_PREFIX_LENGTH[subnet.version]
        room = 1 << (length - subnet.prefixlen) if subnet.prefixlen <= length else 0
        if room < node_count:
            needed = length - (node_count - 1).bit_length()
            message = f"has room for {room} nodes of /{length} each; {node_count} nodes need /{needed} or larger"
            yield Finding(("podSubnet",), f"found '{subnet}'; {message}")
    for subnet in known.get("serviceSubnet", ()):
        host_bits = _BITS[subnet.version] - subnet.prefixlen
        if not _MIN_SERVICE_BITS <= host_bits <= _MAX_SERVICE_BITS:
            largest, smallest = (_BITS[subnet.version] - bits for bits in (_MAX_SERVICE_BITS, _MIN_SERVICE_BITS))
            yield Finding(("serviceSubnet",), f"found '{subnet}'; must be between /{largest} and /{smallest}")


def _overlap_findings(
    networking: Mapping[str, Any], known: Mapping[str, tuple[IPNetwork, ...]]
) -> Iterator[Finding]:
    ranges = [(name, subnet) for name in DEFAULT_SUBNETS for subnet in known.get(name, ())]
    ranges += [("nodes' own network", subnet) for subnet in underlay_subnets(family(networking))]
    for (name, subnet), (other, taken) in combinations(ranges, 2):
        if name != other and subnet.version == taken.version and subnet.overlaps(taken):
            if name not in networking and other in networking:  # blame what was written, not a default
                name, subnet, other, taken = other, taken, name, subnet
            yield Finding((name,), f"found '{subnet}'; overlaps the {other} {taken}")
