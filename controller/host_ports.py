"""hostPort: a port of a node's addresses -> a pod of that node (CNI's portmap plugin).

Looked up behind node ports, which kube-proxy's rules come before, too. The node's kernel hands such packets over while
the pod is there (`topo/exposure.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cluster.model import LOCALHOSTS, Cluster, IPAddress, PodInterface
from controller.actions import Conntrack, Load, Nat
from controller.flow import Flow, Rules, Translation
from controller.match import eth_type, ip_dst, ip_proto, transport_dst
from controller.pipeline import (
    CONNTRACK_ZONE,
    EGRESS_POLICY,
    PRIORITY_BELOW_NORMAL,
    SERVICE_LB,
    SERVICE_MARK,
    Feature,
)
from controller.state import HostPort, NetworkState


def host_ports(cluster: Cluster, pod: PodInterface, ports: Iterable[HostPort]) -> Rules:
    """One flow per port and address of the node; on its node only."""
    ports = tuple(ports)
    if not ports:
        return Rules()
    flows, translations, taken_over = [], set(), set()
    for port in ports:
        for to, endpoint in _addresses(cluster, pod, port):
            match = (
                eth_type(to.version), ip_proto(port.protocol), ip_dst(to), transport_dst(port.protocol, port.host_port),
            )  # fmt: skip
            nat, mark = Nat("dst", endpoint, port.container_port), Load(SERVICE_MARK, 1)
            translate = Conntrack(CONNTRACK_ZONE, EGRESS_POLICY, commit=True, nat=nat, mark=mark)
            flows.append(
                Flow(SERVICE_LB, PRIORITY_BELOW_NORMAL, match, (translate,), Feature.HOST_PORTS, f"Pod {pod.key}")
            )
            if port.protocol == "UDP":
                translations.add(Translation("UDP", to, port.host_port, endpoint, port.container_port))
                taken_over.add(Translation("UDP", to, port.host_port, to, port.host_port))
    return Rules(on={pod.node: tuple(flows)}, translations=frozenset(translations), taken_over=frozenset(taken_over))


def granted(state: NetworkState, pod: PodInterface) -> tuple[HostPort, ...]:
    """Its host ports but those that another pod of its node has: the first name counts. (The scheduler sees to it that
    there are no two; whoever names a node himself goes past it.)"""
    mine = state.host_ports.get(pod.key, ())
    earlier = [
        port for key, ports in state.host_ports.items() if mine and key < pod.key and state.pods[key].node == pod.node
        for port in ports
    ]  # fmt: skip
    return tuple(port for port in mine if not any(_clash(port, other) for other in earlier))


def _clash(one: HostPort, other: HostPort) -> bool:
    same = (one.protocol, one.host_port) == (other.protocol, other.host_port)
    return same and (None in (one.host_ip, other.host_ip) or one.host_ip == other.host_ip)


def _addresses(cluster: Cluster, pod: PodInterface, port: HostPort) -> Iterator[tuple[IPAddress, IPAddress]]:
    """(address of the node, the pod's of the same family): all, or the one of hostIP."""
    own = (*cluster.node_by_name[pod.node].addresses, *LOCALHOSTS)
    endpoints = {address.version: address for address in pod.addresses}
    for address in own:
        if address.version in endpoints and (port.host_ip is None or port.host_ip == address):
            yield address, endpoints[address.version]
