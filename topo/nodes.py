"""A node's legs: its uplink into the underlay, its gateway into its own switch, its tunnel, and the routes between.

Inside a node's namespace:

    eth0   the uplink, with the node's addresses
    gw0    one end of the trunk; the other is port OF_PORT_TRUNK of the node's switch. Carries the node's own
           address in the pod network, and is the lower device of its macvlan pods

Beside the switch, in the sandbox's root namespace: t<N> (the trunk) and v<N>, the VXLAN device. The latter is
made in the node's namespace, so its UDP socket stays there and encapsulated packets leave by the node's uplink.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable, Iterator
from ipaddress import ip_network

from cluster.model import (
    GATEWAY_MAC,
    GENEVE_PORT,
    KERNEL_PORTS,
    NODE_HAIRPINS,
    POD_GATEWAYS,
    REFUSING_ADDRESSES,
    VXLAN_PORT,
    Cluster,
    IPNetwork,
    Node,
)
from topo import bridging, emulation, geneve, namespaces, netlink, ovs, ways_in
from topo.ways_in import GATEWAY

_MACHINE_SYSCTLS = (
    # Addresses are assigned and known to be unique: no waiting for duplicate detection, no router discovery.
    *((f"ipv6/conf/{scope}/{key}", value) for scope in ("all", "default")
      for key, value in (("accept_dad", "0"), ("accept_ra", "0"), ("dad_transmits", "0"))),
    # A pod that has just closed a connection (TIME_WAIT) takes another from the same port if its timestamps are newer. So
    # they have no offset of each destination's own: who comes to a pod by two addresses may use one port for both.
    ("ipv4/tcp_timestamps", "2"),
)  # fmt: skip
_NODE_SYSCTLS = (
    *((f"ipv4/conf/{scope}/rp_filter", "0") for scope in ("all", "default")),
    # A node's packet to a Service comes back to it from its switch, with its own address as the source.
    ("ipv4/conf/all/accept_local", "1"),
    # Every datagram to a Service without endpoints is refused, not one a second (icmp(7), icmp_ratelimit).
    ("ipv4/icmp_ratelimit", "0"),
    ("ipv6/icmp/ratelimit", "0"),
    ("ipv4/ip_local_port_range", f"{KERNEL_PORTS[0]}\t{KERNEL_PORTS[-1]}"),
    # A packet for which the kernel finds a socket early is never handed to the switch: ip_forward() drops it.
    ("ipv4/ip_early_demux", "0"),
    ("ipv4/ip_forward", "1"),
    ("ipv6/conf/all/forwarding", "1"),
)


def build(cluster: Cluster) -> emulation.UnderlayNetwork:
    """All machines and cables of a cluster, with addresses, routes and tunnels, and the underlay's switches. Idempotent."""
    _prepare_machines(cluster)
    network = emulation.UnderlayNetwork(cluster)
    for switch in network.switches:
        switch.start([])
    steer_loops(cluster, network)
    _make_trunks_and_tunnels(cluster)
    _make_edge(cluster)
    for machine in emulation.machines(cluster):
        _address_uplink(cluster, machine.name)
    for node in cluster.nodes:
        _configure_gateway(cluster, node)
        ways_in.build(node)
    return network


def _prepare_machines(cluster: Cluster) -> None:
    nodes = {node.name for node in cluster.nodes}
    with namespaces.made(machine.name for machine in emulation.machines(cluster)) as each:
        for name, _ in each:
            namespaces.raise_interface(namespaces.LOOPBACK, None)
            namespaces.set_sysctls(_MACHINE_SYSCTLS + (_NODE_SYSCTLS if name in nodes else ()))


def steer_loops(
    cluster: Cluster, network: emulation.UnderlayNetwork, down: Collection[frozenset[str]] = ()
) -> None:
    """Tell the switches of an underlay with loops where everybody is; round the links that are `down`. Idempotent."""
    macs = {machine.name: machine.uplink_mac for machine in emulation.machines(cluster)}
    forwarding = bridging.forwarding(cluster.underlay, macs, down)
    if not forwarding.fdb:
        return
    interfaces: dict[tuple[str, int], int] = {}
    # Mininet has its links in an order of its own.
    built = {(link.intf1.node.name, link.intf2.node.name): link for link in network.links}
    with netlink.Socket() as root:
        for index, link in enumerate(cluster.underlay.links):
            cable = built[link.a, link.b]
            for end, interface in ((link.a, cable.intf1), (link.b, cable.intf2)):
                if end in cluster.underlay.switches:
                    port = interfaces[end, index] = socket.if_nametoindex(interface.name)
                    flood = index in forwarding.flooding
                    root.run([netlink.set_bridge_port(port, learning=False, flood=flood)])
        root.run(
            netlink.add_bridge_fdb(interfaces[switch, index], mac) for (switch, mac), index in forwarding.fdb.items()
        )


def _make_trunks_and_tunnels(cluster: Cluster) -> None:
    mtu = cluster.pod_mtu_bytes
    with namespaces.home() as root_fd, netlink.Socket() as root:
        for node in cluster.nodes:
            if namespaces.interface_index(ovs.trunk_interface(node), None) is not None:
                continue
            node_fd = namespaces.open_pinned(node.name)
            root.run(
                [netlink.new_veth(
                    ovs.trunk_interface(node), GATEWAY, peer_mac=node.gateway_mac, mtu=mtu, peer_netns_fd=node_fd
                )]
            )  # fmt: skip
            namespaces.raise_interface(ovs.trunk_interface(node), None)
            if cluster.tunnel_port == GENEVE_PORT:
                geneve.build(cluster, node, node_fd, root_fd)
            elif cluster.tunnel_port == VXLAN_PORT:
                _make_tunnel(node, node_fd, root_fd, mtu)
            os.close(node_fd)
        if cluster.tunnel_port == VXLAN_PORT:
            for node in cluster.nodes:
                root.run(_remote_nodes(cluster, node))


def _make_edge(cluster: Cluster) -> None:
    """The edge's cable to its switch of the underlay."""
    edge = cluster.edge
    if edge is None or namespaces.interface_index(ovs.EDGE_INTERFACE, None) is not None:
        return
    with netlink.Socket() as root:
        ends = (ovs.EDGE_INTERFACE, ovs.EDGE_CABLE)
        root.run([netlink.new_veth(*ends, mac=edge.mac, mtu=cluster.network.mtu_bytes)])
        for end in ends:
            namespaces.raise_interface(end, None)
        cable, switch = socket.if_nametoindex(ovs.EDGE_CABLE), socket.if_nametoindex(edge.switch)
        root.run([netlink.set_link(cable, master=switch)])


def _make_tunnel(node: Node, node_fd: int, root_fd: int, mtu: int) -> None:
    name = ovs.tunnel_interface(node)
    with namespaces.visit(node_fd), netlink.Socket() as own:
        # Made by a socket of the node, whose namespace it keeps for its packets, but put straight into the other one:
        # to move it there afterwards takes the kernel 17 ms.
        own.run(
            [netlink.new_vxlan(name, local=node.addresses[0], mac=node.tunnel_mac, mtu=mtu, netns_fd=root_fd)]
        )
    namespaces.raise_interface(name, None)


def _remote_nodes(cluster: Cluster, node: Node) -> Iterator[netlink.Message]:
    index = socket.if_nametoindex(ovs.tunnel_interface(node))
    for peer in cluster.nodes:
        if peer is not node:
            yield netlink.add_vxlan_fdb(index, peer.tunnel_mac, peer.addresses[0])


def _address_uplink(cluster: Cluster, name: str) -> None:
    addresses = next(machine.addresses for machine in emulation.machines(cluster) if machine.name == name)
    prefix_lengths = {subnet.version: subnet.prefixlen for subnet in cluster.underlay.subnets}
    with namespaces.visit_pinned(name), netlink.Socket() as own:
        index = socket.if_nametoindex(emulation.UPLINK)
        own.run(netlink.add_address(index, address, prefix_lengths[address.version]) for address in addresses)
        own.run(_peers(cluster, name, index))
        if cluster.edge:
            own.run(netlink.add_neighbour(index, address, cluster.edge.mac) for address in cluster.edge.addresses)
            if name not in cluster.node_by_name:
                routers = {address.version: address for address in cluster.edge.addresses}
                own.run(
                    netlink.add_route(index, pool, via=routers[pool.version]) for pool in cluster.load_balancer_pools
                )


def _peers(cluster: Cluster, name: str, uplink: int) -> Iterator[netlink.Message]:
    """The nodes' underlay addresses, and to nodes those of clients too, as permanent neighbours.

    All namespaces share one neighbour table of 1,024 entries (arp(7), gc_thresh3, which only the host's administrator
    can raise); a hundred nodes that talk to each other need ten times as many. Permanent entries do not count.
    """
    for peer in emulation.machines(cluster) if name in cluster.node_by_name else cluster.nodes:
        if peer.name != name:
            yield from (netlink.add_neighbour(uplink, address, peer.uplink_mac) for address in peer.addresses)


def _configure_gateway(cluster: Cluster, node: Node) -> None:
    with namespaces.visit_pinned(node.name), netlink.Socket() as own:
        gateway = socket.if_nametoindex(GATEWAY)
        own.run([netlink.no_link_local(gateway), netlink.set_link(gateway, up=True)])
        own.run(netlink.add_address(gateway, address, address.max_prefixlen) for address in node.gateway_addresses)
        own.run(_service_addresses(node, gateway))
        own.run(router_neighbours(gateway, {cidr.version for cidr in node.pod_cidrs}))
        own.run(_pod_routes(cluster, node, gateway))


def _service_addresses(node: Node, gateway: int) -> Iterator[netlink.Message]:
    """Refusing takes a TCP stack, and so does seeming to be somebody else; the switch translates to and from these."""
    for version in {cidr.version for cidr in node.pod_cidrs}:
        refusing, hairpin = REFUSING_ADDRESSES[version], NODE_HAIRPINS[version]
        yield netlink.add_address(gateway, refusing, refusing.max_prefixlen)
        yield netlink.add_route(gateway, ip_network(hairpin), via=POD_GATEWAYS[version], onlink=True)


def router_neighbours(index: int, versions: Iterable[int]) -> Iterator[netlink.Message]:
    """The router that a switch plays, as a permanent neighbour: nobody has to ask for it."""
    for version in versions:
        yield netlink.add_neighbour(index, POD_GATEWAYS[version], GATEWAY_MAC)


def _pod_routes(cluster: Cluster, node: Node, gateway: int) -> Iterator[netlink.Message]:
    """Overlay: all pods by the switch. Direct: a node's own pods by its switch, others' by their node."""
    own_ranges: tuple[IPNetwork, ...] = node.pod_cidrs
    if cluster.network.mode == "overlay":
        own_ranges = cluster.pod_subnets
    # Services and load balancers, too, are the switch's to translate.
    for to in (*own_ranges, *cluster.service_subnets, *cluster.load_balancer_pools):
        source = next(address for address in node.gateway_addresses if address.version == to.version)
        yield netlink.add_route(gateway, to, via=POD_GATEWAYS[to.version], onlink=True, source=source)
    if cluster.network.mode == "direct":
        uplink = socket.if_nametoindex(emulation.UPLINK)
        for peer in cluster.nodes:
            if peer is not node:
                for to, via in zip(peer.pod_cidrs, peer.addresses, strict=True):
                    yield netlink.add_route(uplink, to, via=via)
