"""Namespaces, cables and routes as commands for `ip -batch`, `bridge -batch` and `tc -batch`. Pure.

    root ns of the sandbox    a bridge for each switch of the underlay
    node                      eth0, its uplink; vxlan0 in overlay mode, with routes as flannel has them; p0, p1, …:
                              the other ends of its pods' interfaces, each with a route to its pod
    pod                       eth0 with its addresses, and a route to a gateway that answers to a permanent neighbour
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cluster.model import MAC_POD, POD_GATEWAYS, VXLAN_PORT, Client, Cluster, Link, Node, mac
from experiments.plain.planned import Planned, Pod
from experiments.testbed import CommandError

UPLINK, TUNNEL = "eth0", "vxlan0"
MACHINE_SYSCTLS = (("ipv6/conf/all/accept_dad", "0"), ("ipv6/conf/default/accept_dad", "0"))
"""Addresses are known to be unique: nobody waits to find out."""
NODE_SYSCTLS = (
    ("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1"),
    ("ipv4/conf/all/rp_filter", "0"), ("ipv4/conf/default/rp_filter", "0"),
)  # fmt: skip
_POD_SIDE = 6
"""The kind of MAC of a pod interface's other end (model.mac)."""


@dataclass(frozen=True)
class Commands:
    """Lines for `ip`, `bridge` and `tc` with -batch, in this order, for one network namespace; "" = the sandbox's."""

    netns: str
    ip: list[str] = field(default_factory=list)
    bridge: list[str] = field(default_factory=list)
    tc: list[str] = field(default_factory=list)


def machines(cluster: Cluster) -> tuple[Node | Client, ...]:
    return (*cluster.nodes, *cluster.clients)


def wire(planned: Planned) -> list[Commands]:
    """For the sandbox itself, then each machine, then each pod; their namespaces are there. Raises CommandError."""
    cluster = planned.cluster
    _refuse_what_is_missing(cluster)
    root = Commands("")
    inside = {machine.name: Commands(machine.name) for machine in machines(cluster)}
    root.ip.extend(f"link add {switch} type bridge" for switch in cluster.underlay.switches)
    root.ip.extend(f"link set {switch} up" for switch in cluster.underlay.switches)
    _add_cables(cluster, root, inside)
    for machine in machines(cluster):
        commands = inside[machine.name].ip
        commands.append("link set lo up")
        commands += _uplink(cluster, machine)
    for node in cluster.nodes:
        _add_routes(cluster, node, inside[node.name])
    pods = []
    for node in cluster.nodes:
        for number, pod in enumerate(pod for pod in planned.pods if pod.node == node.name):
            inside[node.name].ip.extend(_pod_cable(cluster, node, number, pod))
            pods.append(_pod(node, number, pod))
    return [root, *inside.values(), *pods]


def _refuse_what_is_missing(cluster: Cluster) -> None:
    switches = set(cluster.underlay.switches)
    between = [link for link in cluster.underlay.links if {link.a, link.b} <= switches]
    if len(between) >= max(1, len(switches)):
        raise CommandError(f"underlay {cluster.underlay.topology!r} has loops; plain bridges need a spanning tree")
    if any(link.shape.needs_netem for link in cluster.underlay.links):
        raise CommandError("the plain data plane shapes bandwidth only; found a link with delay, jitter or loss")


def _add_cables(cluster: Cluster, root: Commands, inside: dict[str, Commands]) -> None:
    """Both ends of every link, and their shapers."""
    ports: Counter[str] = Counter()
    for link in cluster.underlay.links:
        ends = []
        for name in (link.a, link.b):
            ports[name] += 1
            ends.append((name, UPLINK if name in inside else f"{name}-{ports[name]}"))
        (a, interface_a), (b, interface_b) = ends
        mtu = cluster.network.mtu_bytes
        into_a, into_b = (f" netns {name}" if name in inside else "" for name in (a, b))
        root.ip.append(
            f"link add {interface_a}{into_a} mtu {mtu} type veth peer name {interface_b}{into_b} mtu {mtu}"
        )
        for name, interface in ends:
            where = inside.get(name, root)
            if name not in inside:
                root.ip.append(f"link set {interface} master {name} up")
            where.tc.extend(_shaper(interface, link))


def _shaper(interface: str, link: Link) -> Iterator[str]:
    """As Mininet shapes (mininet.link.TCIntf): one class of HTB."""
    if link.shape.bandwidth_mbps is not None:
        yield f"qdisc add dev {interface} root handle 5: htb default 1"
        yield f"class add dev {interface} parent 5: classid 5:1 htb rate {link.shape.bandwidth_mbps:g}mbit burst 15k"


def _uplink(cluster: Cluster, machine: Node | Client) -> Iterator[str]:
    lengths = {subnet.version: subnet.prefixlen for subnet in cluster.underlay.subnets}
    yield f"link set {UPLINK} address {machine.uplink_mac} up"
    for address in machine.addresses:
        yield f"address add {address}/{lengths[address.version]} dev {UPLINK}"


def _add_routes(cluster: Cluster, node: Node, commands: Commands) -> None:
    """To the other nodes' pods: by their tunnels, or by themselves."""
    overlay = cluster.network.mode == "overlay"
    for address in node.gateway_addresses:
        commands.ip.append(f"address add {address}/{address.max_prefixlen} dev lo")
    # Where nobody answers, a packet still needs a route to get as far as the rule that refuses it.
    commands.ip.extend(f"route add {subnet} dev {UPLINK}" for subnet in cluster.service_subnets)
    if overlay:
        commands.ip.extend((
            f"link add {TUNNEL} address {node.tunnel_mac} mtu {cluster.pod_mtu_bytes} type vxlan id 1 "
            f"local {node.addresses[0]} dstport {VXLAN_PORT} dev {UPLINK} nolearning",
            f"link set {TUNNEL} up",
        ))  # fmt: skip
    for peer in (peer for peer in cluster.nodes if peer is not node):
        if overlay:
            commands.bridge.append(f"fdb append {peer.tunnel_mac} dev {TUNNEL} dst {peer.addresses[0]}")
        for to, gateway, own in zip(peer.pod_cidrs, peer.gateway_addresses, peer.addresses, strict=True):
            if overlay:
                commands.ip.extend((
                    f"neighbour add {gateway} lladdr {peer.tunnel_mac} dev {TUNNEL} nud permanent",
                    f"route add {to} via {gateway} dev {TUNNEL} onlink",
                ))  # fmt: skip
            else:
                commands.ip.append(f"route add {to} via {own}")


def _pod_cable(cluster: Cluster, node: Node, number: int, pod: Pod) -> Iterator[str]:
    """From the node's side, where both ends are made. The other end has every gateway's address: it answers for all."""
    interface, mtu = f"p{number}", cluster.pod_mtu_bytes
    own, pods = mac(_POD_SIDE, node.index, number), mac(MAC_POD, node.index, number)
    yield (
        f"link add {interface} address {own} mtu {mtu} type veth "
        f"peer name {UPLINK} address {pods} mtu {mtu} netns {pod.netns}"
    )
    yield f"link set {interface} up"
    for address in pod.addresses:
        yield f"route add {address}/{address.max_prefixlen} dev {interface}"
        yield f"neighbour add {address} lladdr {pods} dev {interface} nud permanent"


def _pod(node: Node, number: int, pod: Pod) -> Commands:
    commands = ["link set lo up", f"link set {UPLINK} up"]
    for address in pod.addresses:
        gateway = POD_GATEWAYS[address.version]
        lladdr = mac(_POD_SIDE, node.index, number)
        commands += [
            f"address add {address}/{address.max_prefixlen} dev {UPLINK}",
            f"neighbour add {gateway} lladdr {lladdr} dev {UPLINK} nud permanent",
            f"route add default via {gateway} dev {UPLINK} onlink",
        ]
    return Commands(pod.netns, commands)


def all_namespaces(planned: Planned) -> Sequence[str]:
    return [*(machine.name for machine in machines(planned.cluster)), *(pod.netns for pod in planned.pods)]
