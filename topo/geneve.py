"""Geneve between nodes (`network.encapsulation: geneve`), for a switch that sees one port, as with VXLAN.

A VXLAN device has a table of which MAC is behind which node. A Geneve device knows one other node only, so each node has one
for every other, made in its namespace as the VXLAN device is, and a small bridge that has that table:

    v<N>   the port of the switch; its cable's other end is w<N>
    y<N>   the bridge of w<N> and the devices; it learns and floods nothing
    g<N>-<M>   the device to node M
"""

from __future__ import annotations

import os
import socket
import subprocess

from cluster.model import Cluster, Node
from topo import namespaces, netlink, ovs


def build(cluster: Cluster, node: Node, node_fd: int, root_fd: int) -> None:
    """The tunnels of one node. `node_fd`, `root_fd`: its namespace, and that of the switches."""
    mtu = cluster.pod_mtu_bytes
    tunnel, cable, bridge = ovs.tunnel_interface(node), f"w{node.index}", f"y{node.index}"
    peers = {_device(node, peer): peer for peer in cluster.nodes if peer is not node}
    with namespaces.visit(node_fd), netlink.Socket() as own:
        own.run(
            netlink.new_geneve(name, remote=peer.addresses[0], mtu=mtu, netns_fd=root_fd) for name, peer in peers.items()
        )
    with netlink.Socket() as root:
        root.run([netlink.new_veth(tunnel, cable, mac=node.tunnel_mac, mtu=mtu), netlink.new_bridge(bridge)])
        for name in (tunnel, cable, bridge, *peers):
            namespaces.raise_interface(name, None)
        master = socket.if_nametoindex(bridge)
        for name, owner in ((cable, node), *peers.items()):
            port = socket.if_nametoindex(name)
            root.run([netlink.set_link(port, master=master)])
            root.run([netlink.set_bridge_port(port, learning=False, flood=False)])
            root.run([netlink.add_bridge_fdb(port, owner.tunnel_mac)])


def _device(node: Node, peer: Node) -> str:
    return f"g{node.index}-{peer.index}"


def in_kernel() -> bool:
    """Whether the running kernel has it, found out by using it in a namespace made for the purpose."""
    own_user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    make = ["ip", "link", "add", "geneve0", "type", "geneve", "id", "1", "remote", "192.0.2.1"]
    return subprocess.run(["unshare", *own_user, "--net", *make], capture_output=True).returncode == 0
