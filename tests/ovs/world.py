"""A cluster's switches with real flows, where packets are sent and found by names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from packets import Packet, decode
from specs import model, pod_object

from cluster.model import GATEWAY_MAC, OF_PORT_TRUNK, Cluster, IPAddress, Node, PodInterface
from controller.compiler import compile
from controller.dummy_switch import DummySwitch, loaded, pod_port_name, trunk_name, tunnel_name
from controller.state import NetworkState, state_of


@dataclass(frozen=True)
class Arrival:
    port: str
    packet: Packet


@dataclass(frozen=True)
class World:
    state: NetworkState
    switch: DummySwitch

    @property
    def cluster(self) -> Cluster:
        return self.state.cluster

    def pod(self, name: str) -> PodInterface:
        return self.state.pods[f"default/{name}"]

    def node(self, index: int) -> Node:
        return self.cluster.nodes[index - 1]

    def port_of(self, pod: PodInterface) -> str:
        node = self.cluster.node_by_name[pod.node]
        return trunk_name(node) if pod.of_port == OF_PORT_TRUNK else pod_port_name(node, pod.number)

    def address(self, name: str, ip_version: int = 4) -> IPAddress:
        return next(address for address in self.pod(name).addresses if address.version == ip_version)

    def from_pod(self, name: str, to: IPAddress, **changes: Any) -> list[Arrival]:
        """A pod sends; what leaves any switch, tunnels followed to their other end."""
        pod = self.pod(name)
        packet = Packet(pod.mac, GATEWAY_MAC, self.address(name, to.version), to)
        return self.send(self.port_of(pod), replace(packet, **changes))

    def post_from_pod(self, name: str, to: IPAddress, **changes: Any) -> None:
        """As `from_pod`, but not looking what becomes of it: `arrivals` tells of all together."""
        packet = replace(Packet(self.pod(name).mac, GATEWAY_MAC, self.address(name, to.version), to), **changes)
        self.switch.control("netdev-dummy/receive", self.port_of(self.pod(name)), packet.encode().hex())

    def arrivals(self) -> list[Arrival]:
        """What left any switch since it was looked at last, tunnels not followed."""
        self.switch.control("dpif-netdev/pmd-stats-clear")
        return [Arrival(each.port, decode(each.packet)) for each in self.switch.deliveries()]

    def from_node(self, index: int, to: IPAddress, **changes: Any) -> list[Arrival]:
        node = self.node(index)
        own = next(address for address in node.gateway_addresses if address.version == to.version)
        return self.send(trunk_name(node), replace(Packet(node.gateway_mac, GATEWAY_MAC, own, to), **changes))

    def send(self, port: str, packet: Packet) -> list[Arrival]:
        arrivals = [Arrival(each.port, decode(each.packet)) for each in self.switch.send(port, packet.encode())]
        followed: list[Arrival] = []
        for arrival in arrivals:
            if arrival.port in map(tunnel_name, self.cluster.nodes):
                followed += self.send(self.far_end(arrival), arrival.packet)
            else:
                followed.append(arrival)
        return followed

    def far_end(self, arrival: Arrival) -> str:
        """The tunnel port of the node that the inner MAC names, as the VXLAN device's forwarding entries say."""
        (node,) = (node for node in self.cluster.nodes if node.tunnel_mac == arrival.packet.eth_dst)
        return tunnel_name(node)


@contextmanager
def world(*services: Any, veth: bool = False, **options: Any) -> Iterator[World]:
    """Two nodes: pods a and b on the first, c on the second."""
    cluster = model(nodes=2, **options)
    pods = [
        pod_object(cluster, "a", 1, 2, veth=veth),
        pod_object(cluster, "b", 1, 3, veth=veth),
        pod_object(cluster, "c", 2, 2, veth=veth),
    ]
    state = state_of(cluster, *pods, *services)
    with loaded(state, compile(state)) as switch:
        yield World(state, switch)
