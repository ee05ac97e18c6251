"""The networks that are compared: Mininetes and the plain data plane, each in both modes, all up at the same time.

A client and a server on one node, a second server on another, a Service in front of each server.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Protocol

from cluster.model import IPAddress
from experiments import generated, hands, iperf, testbed
from experiments.hands import Hand
from experiments.plain import network, planned
from experiments.suite.cells import Cell, Mode
from experiments.testbed import Inventory

MININETES, PLAIN = "mininetes", "plain"
ARMS = (MININETES, PLAIN)
IPERF_PORT, ANSWERING_PORT = iperf.FIRST_PORT, 7000
CLIENT, SERVERS = "client", {"same-node": "near", "cross-node": "far"}
_NODES = {CLIENT: "worker", "near": "worker", "far": "worker2"}
_IMAGE = "nicolaka/netshoot"


class Network(Protocol):
    """What a testbed and a plain data plane have in common."""

    def prefix(self, target: str) -> tuple[str, ...]: ...
    def process_id(self) -> int: ...
    def inventory(self) -> Inventory: ...


@dataclass(frozen=True)
class Arm:
    """One network, ready to be measured. `addresses`: by path and way of a cell."""

    name: str
    mode: Mode
    process_id: int
    client: Hand
    addresses: dict[tuple[str, str], IPAddress]

    def address(self, cell: Cell) -> str:
        return str(self.addresses[cell.path, cell.way])


def documents(mode: Mode) -> list[dict[str, Any]]:
    """The spec of both arms."""
    found = [generated.cluster(f"suite-{mode}", 2, mode)]
    for name, node in _NODES.items():
        found.append(_pod(name, node))
        if name != CLIENT:
            found.append(_service(name))
    return found


def _pod(name: str, node: str) -> dict[str, Any]:
    container = {"name": "tools", "image": _IMAGE, "command": ["sleep", "infinity"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"nodeName": node, "containers": [container]}}  # fmt: skip


def _service(name: str) -> dict[str, Any]:
    ports = [("iperf", IPERF_PORT, "TCP"), ("iperf-udp", IPERF_PORT, "UDP"), ("answering", ANSWERING_PORT, "TCP")]
    listed = [{"name": port_name, "port": port, "protocol": protocol} for port_name, port, protocol in ports]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": listed}}  # fmt: skip


def cluster_ips(spec: Path) -> dict[str, IPAddress]:
    """By the Service's name; the same in every network of the spec."""
    return {port.name.split("/")[1]: port.address for port in planned.load(str(spec)).services}


@contextmanager
def up(modes: tuple[Mode, ...], directory: Path) -> Iterator[list[Arm]]:
    """All networks of these modes. Raises CommandError when one does not come up."""
    with ExitStack() as stack:
        arms = []
        for mode in modes:
            spec = generated.write(documents(mode), directory / f"{mode}.yaml")
            services = cluster_ips(spec)
            for name in ARMS:
                running: Network = (
                    stack.enter_context(testbed.running(spec, f"suite-{mode}")) if name == MININETES
                    else stack.enter_context(network.running(spec))
                )  # fmt: skip
                arms.append(ready(stack, name, mode, running, services))
        yield arms


def ready(stack: ExitStack, name: str, mode: Mode, running: Network, services: dict[str, IPAddress]) -> Arm:
    """With hands in its pods, and servers started; `services`: the cluster IP in front of each server."""
    inventory = running.inventory()
    addresses: dict[tuple[str, str], IPAddress] = {}
    for path, server in SERVERS.items():
        machine = inventory.find(server)
        own = ip_address(machine.addresses[0])
        addresses[path, "pod"], addresses[path, "service"] = own, services[server]
        hand = stack.enter_context(hands.in_machine(f"{name} {server}", running.prefix(machine.target)))
        hand.do("serve", address=str(own), port=ANSWERING_PORT)
        iperf.serve(hand, own, IPERF_PORT)
    client = inventory.find(CLIENT)
    hand = stack.enter_context(hands.in_machine(f"{name} {CLIENT}", running.prefix(client.target)))
    return Arm(name, mode, running.process_id(), hand, addresses)
