"""The pipeline as data: tables, registers, connection marks, zones, priorities, features.

A table's id is its place in PIPELINE, so a packet only ever moves down this page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

# --- registers and marks --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bits:
    """The bits low … high (inclusive) of a 32-bit field of the packet's metadata. `values` empty = any number."""

    name: str
    field: str
    low: int
    high: int
    values: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        return self.high - self.low + 1

    @property
    def mask(self) -> int:
        return ((1 << self.width) - 1) << self.low


class Source(IntEnum):
    """Where a packet came in."""

    POD = 1
    NODE = 2
    TUNNEL = 3


class Destination(IntEnum):
    """Where it goes out. The last three are the kernel of the node itself: its own addresses (NODE), what it routes to
    other nodes (PEER; direct mode) and to the rest of the world (OUTSIDE)."""

    LOCAL_POD = 1
    NODE = 2
    TUNNEL = 3
    PEER = 4
    OUTSIDE = 5


class EndpointBy(IntEnum):
    """What ENDPOINT says: the number that was drawn, a digest of the client's last endpoint, the count to draw from."""

    NUMBER = 0
    AFFINITY = 1
    COUNT = 2


SOURCE = Bits("source", "reg0", 0, 3, tuple(Source))
DESTINATION = Bits("destination", "reg0", 4, 7, tuple(Destination))
EGRESS_ISOLATED = Bits("egress_isolated", "reg0", 16, 16)
"""Sent by a pod of this node that a NetworkPolicy isolates for egress."""
INGRESS_ISOLATED = Bits("ingress_isolated", "reg0", 17, 17)
"""Goes to a pod of this node that a NetworkPolicy isolates for ingress."""
ESTABLISHED = Bits("established", "reg0", 18, 18)
"""Of a connection that was let through before, or about one: no policy is asked."""
FROM_OWN_NODE = Bits("from_own_node", "reg0", 19, 19)
"""Sent by the node itself, from an address of its own."""
FROM_OUTSIDE = Bits("from_outside", "reg0", 20, 20)
"""Brought by the node's kernel from the underlay: neither the node's own nor, in direct mode, another node's pod's."""
NODE_ADDRESS = Bits("node_address", "reg0", 21, 21)
"""Sent to an address that some node has on the underlay: where node ports are."""
POLICY_GENERATION = Bits("policy_generation", "reg6", 0, 31)
"""A digest of the policies that this node enforces. Nothing matches it: it makes what the datapath has cached behind a
connection's look-up unreachable when the policies change."""
CONNTRACK_ZONE = Bits("conntrack_zone", "reg1", 0, 15)
SNAT_ZONE = Bits("snat_zone", "reg1", 16, 31)
OUTPUT_PORT = Bits("output_port", "reg2", 0, 31)
ENDPOINT_BY = Bits("endpoint_by", "reg0", 8, 9, tuple(EndpointBy))
ENDPOINT = Bits("endpoint", "reg3", 0, 31)
"""Which of a Service port's endpoints, or how many, as ENDPOINT_BY says."""
SERVICE_PORT = Bits("service_port", "xreg2", 0, 63)
"""Which Service port: a digest of its Service, name, protocol and IP family."""
TO_ENDPOINT = Bits("to_endpoint", "reg4", 31, 31)
"""The first bit of SERVICE_PORT, which is set in all values of nodes' switches: an endpoint is chosen for this packet."""
NODE_MARK = Bits("node_mark", "ct_mark", 16, 31)
"""At the edge: the index of the node that a connection was sent to."""
SERVICE_MARK = Bits("service_mark", "ct_mark", 0, 0)
"""On connections that were translated from a Service's address to an endpoint."""

BITS = (
    SOURCE, DESTINATION, CONNTRACK_ZONE, SNAT_ZONE, OUTPUT_PORT, ENDPOINT_BY, ENDPOINT, SERVICE_PORT, SERVICE_MARK,
    EGRESS_ISOLATED, INGRESS_ISOLATED, ESTABLISHED, FROM_OWN_NODE, POLICY_GENERATION, FROM_OUTSIDE, NODE_ADDRESS, NODE_MARK,
    TO_ENDPOINT,
)  # fmt: skip


def conntrack_zones(node_index: int) -> tuple[int, int]:
    """The node's zones for (Service translation, hairpin source translation).

    All bridges of one ovs-vswitchd share one connection table: with a shared zone the far node of a connection
    would translate it back on behalf of the near one.
    """
    return 2 * node_index, 2 * node_index + 1


EDGE_ZONE = 0xED6E
"""Of the edge's connections. Nodes have two zones each, so it is nobody else's."""


# --- priorities -------------------------------------------------------------------------------------------------

PRIORITY_GUARD = 500
PRIORITY_TOP = 400
PRIORITY_HIGH = 300
PRIORITY_NORMAL = 200
PRIORITY_BELOW_NORMAL = 150
PRIORITY_LOW = 100
PRIORITY_MISS = 0

# --- tables -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    """One step. `matches` and `writes` are OXM names or names of Bits; `next` are tables further down.

    `miss` is the table in which a packet goes on that no flow matches, None = it is dropped.
    """

    name: str
    matches: frozenset[str]
    writes: frozenset[str]
    next: tuple[str, ...]
    miss: str | None = None


CLASSIFIER = "Classifier"
SPOOF_GUARD = "SpoofGuard"
UN_SNAT = "UnSNAT"
CONNTRACK_ZONE_TABLE = "ConntrackZone"
CONNTRACK_STATE = "ConntrackState"
NODE_ADDRESS_TABLE = "NodeAddress"
SESSION_AFFINITY = "SessionAffinity"
SERVICE_LB = "ServiceLB"
ENDPOINT_DNAT = "EndpointDNAT"
EGRESS_POLICY = "EgressPolicy"
EGRESS_DEFAULT = "EgressDefault"
L3_FORWARDING = "L3Forwarding"
L3_DEC_TTL = "L3DecTTL"
SNAT = "SNAT"
INGRESS_POLICY = "IngressPolicy"
INGRESS_DEFAULT = "IngressDefault"
CONNTRACK_COMMIT = "ConntrackCommit"
OUTPUT = "Output"

EDGE_CONNECTION = "EdgeConnection"
EDGE_LB = "EdgeLB"
EDGE_NODE = "EdgeNode"

IP_SOURCE = frozenset({"eth_type", "ipv4_src", "ipv6_src"})
IP_DESTINATION = frozenset({"eth_type", "ipv4_dst", "ipv6_dst"})
TRANSPORT_DESTINATION = frozenset({"ip_proto", "tcp_dst", "udp_dst", "sctp_dst"})
NOTHING: frozenset[str] = frozenset()

PIPELINE: tuple[Table, ...] = (
    Table(
        CLASSIFIER,
        matches=frozenset({"in_port", "eth_src", "eth_dst", "eth_type", "ip_proto", "ipv6_dst"}),
        writes=frozenset({"source", "conntrack_zone", "snat_zone", "policy_generation"}),
        next=(SPOOF_GUARD, EDGE_CONNECTION),
    ),
    Table(
        SPOOF_GUARD,
        matches=frozenset({"in_port", "eth_src", "source"}) | IP_SOURCE,
        writes=frozenset({"egress_isolated", "from_own_node", "from_outside"}),
        next=(UN_SNAT,),
    ),
    Table(
        UN_SNAT,
        matches=frozenset({"source"}) | IP_DESTINATION | TRANSPORT_DESTINATION,
        writes=frozenset({"nat"}),
        next=(CONNTRACK_ZONE_TABLE,),
        miss=CONNTRACK_ZONE_TABLE,
    ),
    Table(
        CONNTRACK_ZONE_TABLE,
        matches=frozenset({"eth_type"}),
        writes=frozenset({"nat"}),
        next=(CONNTRACK_STATE,),
    ),
    Table(
        CONNTRACK_STATE,
        matches=frozenset({"eth_type", "ct_state", "service_mark"}),
        writes=frozenset({"established"}),
        next=(NODE_ADDRESS_TABLE, SESSION_AFFINITY, SERVICE_LB, EGRESS_POLICY, L3_FORWARDING),
    ),
    Table(
        # Looked up on the way, too.
        NODE_ADDRESS_TABLE,
        matches=IP_DESTINATION,
        writes=frozenset({"node_address"}),
        next=(),
    ),
    Table(
        # Holds what learn() makes, and is looked up on the way (resubmit): a client without an entry just goes on.
        SESSION_AFFINITY,
        matches=IP_SOURCE | IP_DESTINATION | TRANSPORT_DESTINATION,
        writes=frozenset({"endpoint", "endpoint_by"}),
        next=(),
    ),
    Table(
        SERVICE_LB,
        matches=frozenset({"source", "endpoint_by", "from_outside", "node_address"})
        | (IP_SOURCE | IP_DESTINATION | TRANSPORT_DESTINATION),
        writes=frozenset({"service_port", "endpoint", "nat", "service_mark"}),
        next=(ENDPOINT_DNAT, EGRESS_POLICY),
        miss=EGRESS_POLICY,
    ),
    Table(
        ENDPOINT_DNAT,
        matches=frozenset({"eth_type", "ip_proto", "service_port", "endpoint", "endpoint_by"}),
        writes=frozenset({"endpoint", "endpoint_by", "nat", "service_mark", "learn"}),
        # Itself: a number is looked up first, then the endpoint that clients come back to.
        next=(EGRESS_POLICY, ENDPOINT_DNAT),
    ),
    Table(
        EGRESS_POLICY,
        matches=frozenset({"conj_id"}) | IP_SOURCE | IP_DESTINATION | TRANSPORT_DESTINATION,
        writes=NOTHING,
        next=(L3_FORWARDING,),
        miss=EGRESS_DEFAULT,
    ),
    Table(
        EGRESS_DEFAULT,
        matches=frozenset({"egress_isolated"}),
        writes=NOTHING,
        next=(),
        miss=L3_FORWARDING,
    ),
    Table(
        L3_FORWARDING,
        matches=frozenset({"source", "service_mark", "to_endpoint"}) | IP_DESTINATION,
        writes=frozenset({"destination", "output_port", "ingress_isolated", "eth_dst"}),
        next=(L3_DEC_TTL,),
    ),
    Table(
        L3_DEC_TTL,
        matches=frozenset({"source", "eth_type", "nw_ttl"}),
        writes=frozenset({"nw_ttl", "eth_src"}),
        next=(SNAT,),
    ),
    Table(
        SNAT,
        matches=frozenset({"source", "ct_state", "service_mark", "from_outside", "destination"})
        | (IP_SOURCE | IP_DESTINATION),
        writes=frozenset({"nat"}),
        next=(INGRESS_POLICY, OUTPUT),
        miss=INGRESS_POLICY,
    ),
    Table(
        INGRESS_POLICY,
        matches=frozenset({"conj_id", "established", "from_own_node"})
        | (IP_SOURCE | IP_DESTINATION | TRANSPORT_DESTINATION),
        writes=NOTHING,
        next=(CONNTRACK_COMMIT, OUTPUT),
        miss=INGRESS_DEFAULT,
    ),
    Table(
        INGRESS_DEFAULT,
        matches=frozenset({"ingress_isolated"}),
        writes=NOTHING,
        next=(),
        miss=CONNTRACK_COMMIT,
    ),
    Table(
        CONNTRACK_COMMIT,
        matches=frozenset({"eth_type", "ct_state", "service_mark"}),
        writes=NOTHING,
        next=(OUTPUT,),
        miss=OUTPUT,
    ),
    Table(
        OUTPUT,
        matches=frozenset({"destination"}),
        writes=frozenset({"in_port", "eth_dst"}),
        next=(),
    ),
    # Of the edge's switch alone, where they follow Classifier.
    Table(
        EDGE_CONNECTION,
        matches=frozenset({"eth_type", "ip_proto", "tcp_flags"}),
        writes=NOTHING,
        next=(EDGE_LB,),
        miss=EDGE_LB,
    ),
    Table(
        EDGE_LB,
        matches=frozenset({"node_mark"}) | IP_DESTINATION | TRANSPORT_DESTINATION,
        writes=frozenset({"service_port", "endpoint", "eth_src", "eth_dst", "nw_ttl", "in_port"}),
        next=(EDGE_NODE,),
    ),
    Table(
        EDGE_NODE,
        matches=frozenset({"eth_type", "service_port", "endpoint"}),
        writes=frozenset({"node_mark", "eth_src", "eth_dst", "nw_ttl", "in_port"}),
        next=(),
    ),
)

TABLE_ID: Mapping[str, int] = {table.name: position for position, table in enumerate(PIPELINE)}
TABLE: Mapping[str, Table] = {table.name: table for table in PIPELINE}


class Feature(IntEnum):
    """Which file made a flow: the first eight bits of its cookie."""

    MISS = 1
    CLASSIFIER = 2
    SPOOF_GUARD = 3
    CONNTRACK = 4
    SERVICES = 5
    HAIRPIN = 6
    FORWARDING = 7
    OVERLAY = 8
    DIRECT = 9
    OUTPUT = 10
    POLICIES = 11
    AFFINITY = 12
    OUTSIDE = 13
    EDGE = 14
    HOST_PORTS = 15
