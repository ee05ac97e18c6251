"""What a clause matches, as small hashable words, made into match fields only when a flow is built; prefixes and ranges
of ports as what a switch can match.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from cluster.model import IPAddress, IPNetwork
from controller.fields import FIELD
from controller.match import Match, MatchField, conj_id, eth_type, ip_proto, masked_transport_dst
from controller.policy_model import Block, PortRange

Word = tuple[str, int, int, int]
"""(OXM field, IP version, value, mask or prefix length). Fields: ipv4_src …, tcp_dst …, "tcp" alone, conj_id."""

PORT_BITS = 16
ALL_PORT_BITS = (1 << PORT_BITS) - 1


def address_word(side: str, address: IPAddress) -> Word:
    """`side` is "src" or "dst"."""
    return (f"ipv{address.version}_{side}", address.version, int(address), address.max_prefixlen)


def network_word(side: str, network: IPNetwork) -> Word:
    return (f"ipv{network.version}_{side}", network.version, int(network.network_address), network.prefixlen)


def conj_id_word(number: int) -> Word:
    return ("conj_id", 0, number, 0)


def port_words(ports: PortRange, ip_version: int) -> Iterator[Word]:
    """One for each block of ports that a mask can name."""
    protocol = ports.protocol.lower()
    if ports.first is None or ports.last is None:
        yield (protocol, ip_version, 0, 0)
        return
    for value, mask in masked(ports.first, ports.last):
        yield (f"{protocol}_dst", ip_version, value, mask)


def masked(first: int, last: int) -> Iterator[tuple[int, int]]:
    """`first` … `last` as (value, mask): the fewest aligned blocks, each a power of two wide."""
    while first <= last:
        size = first & -first or 1 << PORT_BITS
        while first + size - 1 > last:
            size >>= 1
        yield first, ALL_PORT_BITS & ~(size - 1)
        first += size


def prefixes(block: Block) -> list[IPNetwork]:
    """What is left of the block without its exceptions."""
    left: list[IPNetwork] = [block.cidr]
    for hole in block.excepted:
        left = [rest for network in left for rest in _without(network, hole)]
    return left


def _without(network: IPNetwork, hole: IPNetwork) -> Iterator[IPNetwork]:
    if network.version != hole.version or not network.overlaps(hole):
        yield network
    elif network.prefixlen < hole.prefixlen:
        yield from (ip_network(rest) for rest in network.address_exclude(hole))  # type: ignore[arg-type]


def match_of(word: Word) -> Match:
    """With its prerequisites."""
    field, ip_version, value, extent = word
    if field == "conj_id":
        return (conj_id(value),)
    family = eth_type(ip_version)
    if field not in FIELD:
        return (family, ip_proto(field.upper()))
    if field.endswith("_dst") and not field.startswith("ipv"):
        protocol = field.removesuffix("_dst").upper()
        return (family, ip_proto(protocol), masked_transport_dst(protocol, value, extent))
    if extent == 0:
        return (family,)
    full = FIELD[field].full_mask
    mask = full & ~((1 << (FIELD[field].bits - extent)) - 1)
    return (family, MatchField(field, value, None if mask == full else mask))
