"""What a node's kernel hands to its switch of what comes in by the uplink (decision 013).

The switch decides what becomes of a packet to a node port, and knows whom an answer to a masqueraded connection is for.
So packets to those ports go by a routing table of their own that leads to gw0, though their address is the kernel's
own, and so does whatever comes in for nobody here. For that the kernel's look at its own addresses, its first rule by
default, comes later.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Iterator
from ipaddress import ip_network

from cluster.model import MASQUERADE_PORTS, POD_GATEWAYS, IPAddress, Node
from cluster.reading.syntax import NODE_PORTS
from topo import namespaces, netlink
from topo.emulation import UPLINK
from topo.netlink import RT_TABLE_LOCAL, Rule

GATEWAY = "gw0"
SWITCH_TABLE = 100
_TO_SWITCH, _ONE_PORT, _OWN_ADDRESSES, _FOR_NOBODY_HERE = 10, 11, 100, 101
"""Priorities of rules; the kernel's own for the main table has 32766."""
IPPROTO_SCTP = 132
_TRANSPORTS = (socket.IPPROTO_TCP, socket.IPPROTO_UDP, IPPROTO_SCTP)
_ICMP = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_EVERYTHING = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}
_SENT_HERE = "lo"
"""What the kernel calls the interface of packets that were sent by this machine itself."""


def build(node: Node) -> None:
    """The rules and the table of a node whose gateway is there. Idempotent."""
    versions = [cidr.version for cidr in node.pod_cidrs]
    with namespaces.visit_pinned(node.name), netlink.Socket() as own:
        gateway = socket.if_nametoindex(GATEWAY)
        # A host port is also one of 127.0.0.1, which the kernel leads out of no other interface than lo otherwise.
        namespaces.set_sysctls([(f"ipv4/conf/{GATEWAY}/route_localnet", "1")])
        own.run(default_routes(gateway, versions, SWITCH_TABLE))
        own.run(rule.added() for version in versions for rule in _rules(node, version))
        # Its place was taken by the same rule, further down.
        own.run(Rule(version, 0, RT_TABLE_LOCAL).deleted() for version in versions)


def port_rules(own: IPAddress, protocol: int, number: int) -> Iterator[Rule]:
    """That packets to one more port of a node's address are the switch's: from outside and from the node itself."""
    for interface in (_SENT_HERE,) if own.is_loopback else (UPLINK, _SENT_HERE):
        yield Rule(own.version, _ONE_PORT, SWITCH_TABLE, interface, own, protocol, range(number, number + 1))


def close_all(node: Node) -> None:
    """No single port is the switch's any more, whoever opened it."""
    with namespaces.visit_pinned(node.name), netlink.Socket() as own:
        for version in (cidr.version for cidr in node.pod_cidrs):
            any_port = Rule(version, _ONE_PORT, SWITCH_TABLE)
            while _deleted(own, any_port):
                pass


def _deleted(kernel: netlink.Socket, rule: Rule) -> bool:
    """Whether there was one."""
    try:
        kernel.run([rule.deleted(must_exist=True)])
    except netlink.NetlinkError as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    return True


def default_routes(index: int, versions: Iterable[int], table: int = netlink.RT_TABLE_MAIN) -> Iterator[netlink.Message]:
    """Everything goes to the router that the switch plays."""
    for version in versions:
        yield netlink.add_route(index, _EVERYTHING[version], via=POD_GATEWAYS[version], onlink=True, table=table)


def _rules(node: Node, ip_version: int) -> Iterator[Rule]:
    own = [address for address in node.addresses if address.version == ip_version]
    for protocol in _TRANSPORTS:
        for ports in (NODE_PORTS, MASQUERADE_PORTS):
            yield Rule(ip_version, _TO_SWITCH, SWITCH_TABLE, UPLINK, None, protocol, ports)
        for address in own:
            yield Rule(ip_version, _TO_SWITCH, SWITCH_TABLE, _SENT_HERE, address, protocol, NODE_PORTS)
    # Echo replies to pods. (Of IPv6, also what else is sent to its address: neighbours are known without asking.)
    for address in own:
        yield Rule(ip_version, _TO_SWITCH, SWITCH_TABLE, UPLINK, address, _ICMP[ip_version])
    yield Rule(ip_version, _OWN_ADDRESSES, RT_TABLE_LOCAL)
    yield Rule(ip_version, _FOR_NOBODY_HERE, SWITCH_TABLE, UPLINK)
