"""The private Open vSwitch: bridges and ports, many in one transaction (ovs-vsctl(8))."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.model import OF_PORT_EDGE, OF_PORT_FIRST_POD, OF_PORT_TRUNK, OF_PORT_TUNNEL, Cluster, Network, Node
from topo.waiting import wait_until

CONTROLLER = "tcp:127.0.0.1:6653"
CONTROLLER_ADDRESS = ("127.0.0.1", 6653)
EDGE_INTERFACE, EDGE_CABLE = "edge0", "edge1"
"""The edge's port, and the other end of its cable, at a switch of the underlay."""
_TIMEOUT_S = 60
_ARGUMENTS_BYTES = 1 << 20
"""Well below what execve(2) takes."""


@dataclass(frozen=True, slots=True)
class Port:
    """An interface of the sandbox's root namespace as a port of a bridge."""

    bridge: str
    interface: str
    of_port: int


def trunk_interface(node: Node) -> str:
    return f"t{node.index}"


def tunnel_interface(node: Node) -> str:
    return f"v{node.index}"


def pod_interface_name(node_index: int, number: int) -> str:
    return f"p{node_index}-{number}"


_POD_INTERFACE = re.compile(r"^p(\d+)-(\d+)$", re.MULTILINE)
"""The inverse of pod_interface_name."""


def is_userspace(network: Network) -> bool:
    """Whether the switches have the userspace datapath: where it is asked for, or the kernel has none."""
    has_module = Path("/sys/module/openvswitch").exists()
    return network.datapath == "userspace" or (network.datapath == "auto" and not has_module)


def datapath_type(network: Network) -> str:
    """`system` is the kernel's; `dummy` the userspace one without a tap device per bridge."""
    return "dummy" if is_userspace(network) else "system"


def add_bridges(cluster: Cluster) -> None:
    """Every node's bridge with its trunk and tunnel, and the edge's; not yet connected to a controller. Idempotent."""
    kind = datapath_type(cluster.network)
    commands: list[list[str]] = []
    for node in cluster.nodes:
        commands += _add_bridge(node.bridge, node.dpid, kind)
        commands += _add_port(Port(node.bridge, trunk_interface(node), OF_PORT_TRUNK))
        if cluster.network.mode == "overlay":
            commands += _add_port(Port(node.bridge, tunnel_interface(node), OF_PORT_TUNNEL))
    if cluster.edge:
        commands += _add_bridge(cluster.edge.bridge, cluster.edge.dpid, kind)
        commands += _add_port(Port(cluster.edge.bridge, EDGE_INTERFACE, OF_PORT_EDGE))
    _transact(commands)


def _add_bridge(name: str, dpid: int, kind: str) -> list[list[str]]:
    return [
        ["--may-exist", "add-br", name],
        ["set", "bridge", name, f"datapath_type={kind}", "fail_mode=secure",
         f"other_config:datapath-id={dpid:016x}", "other_config:disable-in-band=true"],
    ]  # fmt: skip


def connect_when_listening(cluster: Cluster, timeout_s: float) -> None:
    """Point the switches at the controller once it listens: a switch whose first try fails waits a second."""

    def listening() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(CONTROLLER_ADDRESS) == 0

    wait_until(listening, timeout_s, "the controller to listen")
    connect_to_controller(cluster)


def connect_to_controller(cluster: Cluster) -> None:
    """Make every bridge connect to the controller, soon again whenever it is lost."""
    commands: list[list[str]] = []
    for bridge in [*(node.bridge for node in cluster.nodes), *([cluster.edge.bridge] if cluster.edge else ())]:
        commands.append(["set-controller", bridge, CONTROLLER])
        commands.append(["set", "controller", bridge, "max_backoff=1000", "connection_mode=out-of-band"])
    _transact(commands)


def add_ports(ports: Sequence[Port]) -> None:
    """Returns when the switch has them. Idempotent."""
    _transact([command for port in ports for command in _add_port(port)])


def delete_ports(ports: Sequence[Port]) -> None:
    _transact([["--if-exists", "del-port", port.bridge, port.interface] for port in ports])


def wait_for_switch(pid: int) -> None:
    """Returns when that process has opened every port that the database knows."""
    # A change of the database, since only for one does ovs-vsctl(8) wait.
    _transact([["set", "Open_vSwitch", ".", f"external_ids:waited-for={pid}"]])


def pod_ports(nodes: Iterable[Node]) -> list[Port]:
    """The ports that pods have at these nodes' bridges."""
    bridges = {str(node.index): node.bridge for node in nodes}
    return [
        Port(bridges[index], f"p{index}-{number}", OF_PORT_FIRST_POD + int(number))
        for index, number in _POD_INTERFACE.findall(_output("--bare", "--columns=name", "list", "interface"))
        if index in bridges
    ]


def _add_port(port: Port) -> list[list[str]]:
    return [
        ["--may-exist", "add-port", port.bridge, port.interface],
        ["set", "interface", port.interface, f"ofport_request={port.of_port}"],
    ]


def _transact(commands: Sequence[Sequence[str]]) -> None:
    argv: list[str] = []
    size = 0
    for command in commands:
        argv += ["--", *command]
        size += sum(len(word) + 1 for word in command)
        if size > _ARGUMENTS_BYTES:
            _run(argv)
            argv, size = [], 0
    if argv:
        _run(argv)


def _run(argv: Sequence[str]) -> None:
    subprocess.run(["ovs-vsctl", f"--timeout={_TIMEOUT_S}", *argv], check=True, stdin=subprocess.DEVNULL)


def _output(*argv: str) -> str:
    command = ["ovs-vsctl", f"--timeout={_TIMEOUT_S}", *argv]
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
