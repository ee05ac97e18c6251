"""Routes of this node: its pods, its own addresses, and its kernel for whatever else a pod sends.

Each hop of a packet is a router's: TTL and MAC addresses are rewritten.
"""

from __future__ import annotations

from collections.abc import Collection

from cluster.model import GATEWAY_MAC, REFUSING_ADDRESSES, Cluster, Node, PodInterface
from cluster.policy_names import Direction
from controller.actions import Action, DecTTL, Goto, Load, SetField
from controller.flow import Flow, Rules
from controller.match import bits, eth_dst, eth_src, eth_type, ip_dst, ip_ttl
from controller.pipeline import (
    DESTINATION,
    INGRESS_ISOLATED,
    L3_DEC_TTL,
    L3_FORWARDING,
    OUTPUT_PORT,
    PRIORITY_BELOW_NORMAL,
    PRIORITY_HIGH,
    PRIORITY_LOW,
    PRIORITY_NORMAL,
    PRIORITY_TOP,
    SERVICE_MARK,
    SNAT,
    SOURCE,
    TO_ENDPOINT,
    Destination,
    Feature,
    Source,
)

LAST_TTLS = (0, 1)
"""RFC 1812, section 5.3.1: a router forwards no packet whose TTL would become zero."""


def forwarding(subject: PodInterface | Node | Cluster, isolated: Collection[Direction] = ()) -> Rules:
    """One flow per address of a pod and of a node, on its node; a few per IP family everywhere."""
    match subject:
        case PodInterface():
            return Rules(on={subject.node: tuple(_pod_flows(subject, isolated))})
        case Node():
            return Rules(on={subject.name: tuple(_node_flows(subject))})
        case Cluster():
            families = (subnet.version for subnet in subject.pod_subnets)
            return Rules(everywhere=tuple(flow for family in families for flow in _any_flows(subject, family)))


def _pod_flows(pod: PodInterface, isolated: Collection[Direction]) -> list[Flow]:
    mark: tuple[Action, ...] = (Load(INGRESS_ISOLATED, 1),) if "ingress" in isolated else ()
    actions = (
        *mark,
        Load(DESTINATION, Destination.LOCAL_POD),
        Load(OUTPUT_PORT, pod.of_port),
        SetField(eth_dst(pod.mac)),
        Goto(L3_DEC_TTL),
    )
    return [
        Flow(
            L3_FORWARDING,
            PRIORITY_HIGH,
            (eth_type(address.version), ip_dst(address)),
            actions,
            Feature.FORWARDING,
            f"Pod {pod.key}",
        )
        for address in pod.addresses
    ]


def _node_flows(node: Node) -> list[Flow]:
    """Its own addresses lead to its kernel; an address of its range without a pod leads nowhere."""
    owner = f"Node {node.name}"
    to_kernel = (Load(DESTINATION, Destination.NODE), Goto(L3_DEC_TTL))
    families = {cidr.version for cidr in node.pod_cidrs}
    own = [address for address in (*node.gateway_addresses, *node.addresses) if address.version in families]
    flows = []
    for address in dict.fromkeys(own):
        match = (eth_type(address.version), ip_dst(address))
        flows.append(Flow(L3_FORWARDING, PRIORITY_HIGH, match, to_kernel, Feature.FORWARDING, owner))
    for cidr in node.pod_cidrs:
        match = (eth_type(cidr.version), ip_dst(cidr))
        flows.append(Flow(L3_FORWARDING, PRIORITY_NORMAL, match, (), Feature.FORWARDING, owner))
    return flows


def _any_flows(cluster: Cluster, ip_version: int) -> list[Flow]:
    """The default route (for pods: what the kernel or a tunnel brings is for this node or for nobody), TTL."""
    owner, family = f"Cluster {cluster.name}", eth_type(ip_version)
    to_kernel = (Load(DESTINATION, Destination.NODE), Goto(L3_DEC_TTL))
    default = (Load(DESTINATION, Destination.OUTSIDE), Goto(L3_DEC_TTL))
    routed = (DecTTL(), SetField(eth_src(GATEWAY_MAC)), Goto(SNAT))
    sent_by_kernel = (SetField(eth_src(GATEWAY_MAC)), Goto(SNAT))
    from_pod, from_node = bits(SOURCE, Source.POD), bits(SOURCE, Source.NODE)
    untranslated = (family, bits(TO_ENDPOINT, 1), bits(SERVICE_MARK, 0))
    refused = (family, ip_dst(REFUSING_ADDRESSES[ip_version]))
    of_services = ((bits(SOURCE, source), family, bits(SERVICE_MARK, 1)) for source in (Source.NODE, Source.TUNNEL))
    # The kernel has decremented what it forwards, and owes nothing for what it sends itself.
    return [
        Flow(L3_FORWARDING, PRIORITY_LOW, (from_pod, family), default, Feature.FORWARDING, owner),
        # To endpoints outside the cluster, and answers to clients that are outside.
        *(Flow(L3_FORWARDING, PRIORITY_LOW, match, default, Feature.FORWARDING, owner) for match in of_services),
        *(
            Flow(L3_FORWARDING, PRIORITY_BELOW_NORMAL, (from_pod, family, ip_dst(exempt)), to_kernel, Feature.FORWARDING, owner)
            for exempt in cluster.network.masquerade_exempt
            if exempt.version == ip_version
        ),
        Flow(L3_FORWARDING, PRIORITY_HIGH, refused, to_kernel, Feature.FORWARDING, owner),
        # An endpoint is chosen and the translation has failed: no port is free (decision 022). Whoever sent it, sends it
        # again; to the node's kernel it would be a connection to itself.
        Flow(L3_FORWARDING, PRIORITY_TOP, untranslated, (), Feature.FORWARDING, owner),
        Flow(L3_DEC_TTL, PRIORITY_HIGH, (from_node, family), sent_by_kernel, Feature.FORWARDING, owner),
        *(
            Flow(L3_DEC_TTL, PRIORITY_NORMAL, (family, ip_ttl(ttl)), (), Feature.FORWARDING, owner)
            for ttl in LAST_TTLS
        ),
        Flow(L3_DEC_TTL, PRIORITY_LOW, (family,), routed, Feature.FORWARDING, owner),
    ]
