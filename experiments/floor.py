"""The floor of `bench boot`: the same namespaces, interfaces, addresses and bridges, and nothing around them.

One process, netlink batches, one OVSDB transaction. Run by `isolated.ready` with the numbers of nodes and of pods
on each: python -m experiments.floor NODES NODES_WITH_PODS PODS_PER_NODE.
"""

from __future__ import annotations

import socket
import sys
from ipaddress import IPv4Address
from pathlib import Path

from cluster.model import mac
from experiments import isolated, kernel, private_ovs

_GATEWAY, _GATEWAY_MAC = IPv4Address("169.254.1.1"), "0a:00:00:00:00:01"
_UNDERLAY, _PODS = IPv4Address("172.18.0.0"), IPv4Address("10.244.0.0")
_MTU_BYTES, _POD_MTU_BYTES = 1500, 1450
_UPLINK, _TRUNK = 2, 3
"""Interface indexes in a node's namespace."""
_FIRST_INDEX = 1000
"""Interfaces that are made from another namespace get indexes from here: there they must not clash either."""
_POD, _GATEWAY_KIND, _TUNNEL, _UPLINK_KIND, _SWITCH_SIDE = 1, 2, 3, 4, 6
_FDB_BATCH = 100
_NODE_SYSCTLS = (("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1"))


def _pod_address(node: int, number: int) -> IPv4Address:
    return _PODS + node * 256 + number


def _make_node(node: int, home: int, root: kernel.Socket, bridge: int) -> int:
    """A node's namespace with uplink, trunk and tunnel; the descriptor of the namespace."""
    fd = kernel.new_namespace(f"node{node}")
    for path, value in _NODE_SYSCTLS:
        kernel.set_sysctl(path, value)
    root.run([
        kernel.veth(f"u{node}", mac(_SWITCH_SIDE, node), "eth0", mac(_UPLINK_KIND, node), _MTU_BYTES, fd, _UPLINK),
        kernel.change(0, name=f"u{node}", master=bridge),
        kernel.veth(
            f"t{node}", mac(_SWITCH_SIDE, node, 1), "gw0", mac(_GATEWAY_KIND, node), _POD_MTU_BYTES, fd, _TRUNK
        ),
    ])  # fmt: skip
    index = _FIRST_INDEX + node
    kernel.run_here([
        kernel.change(kernel.LOOPBACK, up=True), kernel.change(_UPLINK, up=True), kernel.change(_TRUNK, up=True),
        kernel.address(_UPLINK, _UNDERLAY + 1 + node, 16), kernel.address(_TRUNK, _pod_address(node, 1), 32),
        kernel.neighbour(_TRUNK, _GATEWAY, _GATEWAY_MAC), kernel.default_route(_TRUNK, _GATEWAY),
        kernel.vxlan(f"v{node}", _UNDERLAY + 1 + node, mac(_TUNNEL, node), _POD_MTU_BYTES, index, home),
    ])  # fmt: skip
    return fd


def _join_tunnels(root: kernel.Socket, nodes: int) -> None:
    for node in range(nodes):
        index = _FIRST_INDEX + node
        peers = [kernel.fdb(index, mac(_TUNNEL, peer), _UNDERLAY + 1 + peer) for peer in range(nodes) if peer != node]
        batch = [kernel.change(index, up=True), *peers]
        for start in range(0, len(batch), _FDB_BATCH):
            root.run(batch[start : start + _FDB_BATCH])


def _make_pods(node: int, node_fd: int, pods: int) -> None:
    kernel.setns(node_fd)
    on_node = kernel.Socket()
    for number in range(2, pods + 2):
        name, index = f"p{node}-{number}", _FIRST_INDEX + number
        fd = kernel.new_namespace(name)
        on_node.run([kernel.macvlan(name, _TRUNK, mac(_POD, node, number), _POD_MTU_BYTES, fd, index)])
        kernel.run_here([
            kernel.change(kernel.LOOPBACK, up=True), kernel.change(index, up=True),
            kernel.address(index, _pod_address(node, number), 32),
            kernel.neighbour(index, _GATEWAY, _GATEWAY_MAC), kernel.default_route(index, _GATEWAY),
        ])  # fmt: skip
    on_node.close()


def _add_bridges(nodes: int) -> None:
    kind = private_ovs.datapath_type()
    commands: list[list[str]] = []
    for node in range(nodes):
        bridge = f"br{node}"
        commands.append(["add-br", bridge])
        commands.append(["set", "bridge", bridge, f"datapath_type={kind}", "fail_mode=secure"])
        commands += [["add-port", bridge, f"{port}{node}"] for port in "tv"]
    private_ovs.transact(commands)


def build(nodes: int, with_pods: int, pods_per_node: int) -> None:
    """Everything, in the caller's own namespaces."""
    kernel.mount("tmpfs", "/run", "tmpfs")
    Path(kernel.NETNS).mkdir()
    # What would make a thousand interfaces wait for duplicate address detection, each a second.
    kernel.set_sysctl("ipv6/conf/default/addr_gen_mode", "1")
    private_ovs.start()
    home, root = kernel.open_home(), kernel.Socket()
    root.run([kernel.change(kernel.LOOPBACK, up=True), kernel.bridge("underlay", mac(_SWITCH_SIDE, 0, 2), _MTU_BYTES)])
    bridge = socket.if_nametoindex("underlay")
    fds = [_make_node(node, home, root, bridge) for node in range(nodes)]
    _join_tunnels(root, nodes)
    for node, fd in enumerate(fds[:with_pods]):
        _make_pods(node, fd, pods_per_node)
    kernel.setns(home)
    _add_bridges(nodes)


if __name__ == "__main__":
    build(*map(int, sys.argv[1:]))
    isolated.report_ready()
