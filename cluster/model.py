"""What a cluster is, once its document was read: nodes, network, links, and every address derived from them.

Nothing here is random: names, addresses, MACs, datapath ids and port numbers are functions of the document,
so the same spec gives the same bytes. Node and pod numbers go into the MAC addresses unhashed, so that two
of them cannot collide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network
IPFamily = Literal["ipv4", "ipv6", "dual"]
Role = Literal["control-plane", "worker"]

TUNNEL_OVERHEAD_BYTES = {4: 50, 6: 70}
"""Outer Ethernet, IP, UDP and VXLAN headers by version of the outer IP (RFC 7348, section 5); the same for Geneve without
options (RFC 8926, section 3.4)."""

MAX_GENEVE_NODES = 50
"""Every node has a device to every other: 2,450 of them."""
MAX_PODS_PER_NODE = 250
"""The hosts of a /24, less network, gateway, broadcast and a few in reserve."""

GATEWAY_MAC = "0a:00:00:00:00:01"
"""The MAC that every pod sends to: the router that its node's switch plays. The same on all nodes."""

POD_GATEWAYS: Mapping[int, IPAddress] = {4: IPv4Address("169.254.1.1"), 6: IPv6Address("fe80::1")}
"""The next hop in every pod, by IP version. Link-local, so it needs no address of the pod network."""

REFUSING_ADDRESSES: Mapping[int, IPAddress] = {4: IPv4Address("169.254.1.2"), 6: IPv6Address("100::2")}
"""On every node, with nothing behind it: what is sent here is refused by the node's kernel, with a reset or ICMP port
unreachable. Never seen outside a node (RFC 3927; RFC 6666, the discard prefix)."""
REFUSING_PORT = 1
LOCALHOSTS: tuple[IPAddress, ...] = (IPv4Address("127.0.0.1"),)
"""A node's own name for itself, where its processes reach host ports, too. (The kernel routes no packet to ::1.)"""
KERNEL_PORTS = range(32768, 40960)
"""From which a node's own kernel takes the source ports of its connections (ip_local_port_range)."""
MASQUERADE_PORTS = range(40960, 61440)
"""From which a node's switch takes those of connections that it lets seem to be the node's own. So nobody has to ask
whose an answer is: these ports are the switch's."""
NODE_HAIRPINS: Mapping[int, IPAddress] = {4: IPv4Address("169.254.1.3"), 6: IPv6Address("100::3")}
"""What a node seems to be to itself, where a Service leads it back to its own address."""


def mac(kind: int, major: int, minor: int = 0) -> str:
    """A locally administered MAC: one byte of kind, two of node or client number, two of pod number."""
    octets = (0x0A, kind, major >> 8, major & 0xFF, minor >> 8, minor & 0xFF)
    return ":".join(f"{octet:02x}" for octet in octets)


MAC_POD, MAC_GATEWAY, MAC_TUNNEL, MAC_UPLINK, MAC_CLIENT, MAC_EDGE = 1, 2, 3, 4, 5, 6

VXLAN_PORT, GENEVE_PORT = 4789, 6081
"""IANA's UDP ports of VXLAN (RFC 7348) and Geneve (RFC 8926)."""
TUNNEL_PORTS = (VXLAN_PORT, GENEVE_PORT)

OF_PORT_TRUNK = 1
"""The switch port whose other end, `gw0` in the node's namespace, is the node's own leg in the pod network
and the lower device of its macvlan pods."""
OF_PORT_TUNNEL = 2
"""The switch port of the tunnel (overlay mode)."""
OF_PORT_FIRST_POD = 1000
"""A pod with a veth of its own is on port OF_PORT_FIRST_POD + its number on the node."""


@dataclass(frozen=True, slots=True)
class LinkShape:
    """What a link does to packets; None = nothing. bandwidth in Mbit/s, times in ms, loss in percent."""

    bandwidth_mbps: float | None = None
    delay_ms: float | None = None
    jitter_ms: float | None = None
    loss_percent: float | None = None

    @property
    def needs_netem(self) -> bool:
        return any(value is not None for value in (self.delay_ms, self.jitter_ms, self.loss_percent))


@dataclass(frozen=True, slots=True)
class Link:
    """A cable between two of: node, external client, underlay switch (by name)."""

    a: str
    b: str
    shape: LinkShape = LinkShape()


@dataclass(frozen=True, slots=True)
class Underlay:
    """The physical network under the nodes. `topology` is the name in the spec ("star" … or "links")."""

    topology: str
    switches: tuple[str, ...]
    links: tuple[Link, ...]
    subnets: tuple[IPNetwork, ...]


@dataclass(frozen=True, slots=True)
class Client:
    """A host outside the cluster, on the underlay. `index` counts from 1."""

    name: str
    index: int
    addresses: tuple[IPAddress, ...]

    @property
    def uplink_mac(self) -> str:
        return mac(MAC_CLIENT, self.index)


@dataclass(frozen=True, slots=True)
class Edge:
    """The switch before the cluster: on the underlay, at the addresses of its router, to which all addresses of load
    balancers are routed; it sends each connection to one node. `switch` is the underlay's that it hangs on."""

    switch: str
    addresses: tuple[IPAddress, ...]
    bridge = "edge_lb"
    """No node can have that name (RFC 1123), nor its switch."""
    dpid = 0xED6E
    mac = mac(MAC_EDGE, 0)


OF_PORT_EDGE = 1
"""The edge's one cable."""


@dataclass(frozen=True, slots=True)
class Network:
    """How pods reach each other. `mtu_bytes` is the underlay's."""

    mode: Literal["overlay", "direct"] = "overlay"
    encapsulation: Literal["vxlan", "geneve"] = "vxlan"
    """Of overlay mode."""
    attachment: Literal["auto", "veth", "macvlan"] = "auto"
    datapath: Literal["auto", "kernel", "userspace"] = "auto"
    mtu_bytes: int = 1500
    ip_family: IPFamily = "ipv4"
    policy_reevaluation: bool = False
    """Whether a changed NetworkPolicy also cuts established connections that it does not allow."""
    masquerade_exempt: tuple[IPNetwork, ...] = ()
    """Where outside the cluster pods keep their own addresses."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node: a Mininet host with a switch of its own.

    `index` counts from 1 in the order of the document; addresses, MACs and the datapath id derive from it.
    `addresses` are on the underlay, `pod_cidrs` hold its pods; one of each per IP family, IPv4 first.
    """

    name: str
    role: Role
    index: int
    addresses: tuple[IPAddress, ...]
    pod_cidrs: tuple[IPNetwork, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    zone: str | None = None

    @property
    def dpid(self) -> int:
        return self.index

    @property
    def bridge(self) -> str:
        """Its switch: the node's own name where an interface can bear it (IFNAMSIZ, 15 characters)."""
        return self.name if len(self.name) <= 15 else f"br{self.index}"

    @property
    def gateway_addresses(self) -> tuple[IPAddress, ...]:
        """The node's own addresses in the pod network: the first of each of its ranges, on `gw0`."""
        return tuple(cidr.network_address + 1 for cidr in self.pod_cidrs)

    @property
    def uplink_mac(self) -> str:
        return mac(MAC_UPLINK, self.index)

    @property
    def gateway_mac(self) -> str:
        """The MAC of `gw0` (pods do not use it: they send to GATEWAY_MAC)."""
        return mac(MAC_GATEWAY, self.index)

    @property
    def tunnel_mac(self) -> str:
        """The MAC of its end of the tunnels: what other nodes' switches write as the inner destination."""
        return mac(MAC_TUNNEL, self.index)


@dataclass(frozen=True, slots=True)
class PortMapping:
    """A port of a node that is also one of the host (kind's extraPortMappings); `host_port` 0 = any free one."""

    node: str
    container_port: int
    listen_address: IPAddress
    host_port: int
    protocol: Literal["TCP", "UDP"]


@dataclass(frozen=True)
class Cluster:
    """Everything that the cluster document says, resolved."""

    name: str
    nodes: tuple[Node, ...]
    network: Network
    underlay: Underlay
    clients: tuple[Client, ...]
    pod_subnets: tuple[IPNetwork, ...]
    service_subnets: tuple[IPNetwork, ...]
    load_balancer_pools: tuple[IPNetwork, ...] = ()
    """Of the underlay, outside of everybody's addresses: what load balancers are given."""
    edge: Edge | None = None
    """None where nobody is outside, or there is no switch that it could hang on."""
    api_server_address: str = "127.0.0.1"
    api_server_port: int = 0
    """Where the API is reached on the host; port 0 = any free one."""
    port_mappings: tuple[PortMapping, ...] = ()
    node_grace_s: float = 1.0
    """How long a node may be silent before it counts as NotReady (--node-monitor-grace-period; there 50 s)."""
    toleration_s: int = 2
    """How long pods stay on a node that is NotReady, unless they say otherwise (DefaultTolerationSeconds; there 300)."""

    @cached_property
    def node_by_name(self) -> Mapping[str, Node]:
        return {node.name: node for node in self.nodes}

    @property
    def tunnel_ip_version(self) -> int:
        """IP version of the tunnels' packets: that of a node's first address."""
        return self.nodes[0].addresses[0].version

    @property
    def tunnel_port(self) -> int | None:
        """The UDP port of the tunnels between nodes; None without tunnels (direct mode)."""
        if self.network.mode == "direct":
            return None
        return GENEVE_PORT if self.network.encapsulation == "geneve" else VXLAN_PORT

    @property
    def pod_mtu_bytes(self) -> int:
        if self.network.mode == "direct":
            return self.network.mtu_bytes
        return self.network.mtu_bytes - TUNNEL_OVERHEAD_BYTES[self.tunnel_ip_version]


@dataclass(frozen=True, slots=True)
class PodInterface:
    """A pod as the network sees it: who, where, which addresses.

    `number` is the pod's place in its node's ranges (2 … 254: its address is the range's base plus number,
    in every family); `of_port` is its switch port: OF_PORT_TRUNK for macvlan, else its own.
    """

    namespace: str
    name: str
    uid: str
    node: str
    addresses: tuple[IPAddress, ...]
    mac: str
    number: int
    of_port: int

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"
