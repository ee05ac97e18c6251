"""Where a connection should end, from the API's text alone (`cluster/service_oracle.py`, `cluster/policy_oracle.py`):
what a trace is held against.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.model import TUNNEL_PORTS, IPAddress
from cluster.objects import Object
from cluster.policy_names import Direction
from cluster.policy_oracle import Oracle, Party
from cluster.service_oracle import ClientPlace, Outcome, outcome
from controller.policies import DENYING
from controller.state import NetworkState
from controller.trace import Probe, Verdict, Way


@dataclass(frozen=True, slots=True)
class Expected:
    """`endpoints`: those of a Service, one of which it is. `denied`: the side at which policies end it."""

    verdict: Verdict
    endpoints: frozenset[tuple[IPAddress, int]] | None = None
    denied: Direction | None = None

    def agrees(self, way: Way) -> bool:
        arrives = self.endpoints is None or (way.address, way.port) in self.endpoints
        return arrives and way.verdict == self.verdict and DENYING.get(way.hops[-1].steps[-1].table) == self.denied

    def as_json(self) -> Mapping[str, Any]:
        endpoints = [{"address": str(address), "port": port} for address, port in sorted(self.endpoints or ())]
        told = {} if self.endpoints is None else {"endpoints": endpoints}
        return {"verdict": self.verdict, "denied": self.denied, **told}


def expected(objects: Sequence[Object], state: NetworkState, probe: Probe, way: Way) -> Expected:
    """By the endpoint that the packet went to, where a Service has several: policies judge behind its translation."""
    service = _service(objects, state, probe)
    endpoints = service.endpoints if service and service.verdict == "reaches" else None
    verdict = _verdict(service, state, probe)
    if service is not None and service.verdict == "dropped":
        return Expected(verdict)
    denied = _denied(objects, state, probe, way)
    return Expected("denied" if denied else verdict, endpoints, denied)


def _service(objects: Iterable[Object], state: NetworkState, probe: Probe) -> Outcome | None:
    """None: the address is no Service's."""
    if not any(probe.destination in subnet for subnet in state.cluster.service_subnets):
        return None
    objects = list(objects)
    services = [obj for obj in objects if obj["kind"] == "Service"]
    slices = [obj for obj in objects if obj["kind"] == "EndpointSlice"]
    place = ClientPlace(probe.node, state.cluster.node_by_name[probe.node].zone or "")
    return outcome(services, slices, place, probe.destination, probe.protocol, probe.destination_port)


def _verdict(service: Outcome | None, state: NetworkState, probe: Probe) -> Verdict:
    """Were there no policies."""
    if service is not None:
        return "delivered" if service.verdict == "reaches" else service.verdict
    if _pod_with(state, probe.destination):
        return "delivered"
    if any(probe.destination in (*node.addresses, *node.gateway_addresses) for node in state.cluster.nodes):
        # Nothing of the API's: nobody is to have a node unwrap what he wrapped himself.
        by_hand = probe.protocol == "UDP" and probe.destination_port in TUNNEL_PORTS
        return "dropped" if by_hand else "delivered"
    nobodys = any(probe.destination in subnet for subnet in state.cluster.pod_subnets)
    return "dropped" if nobodys else "leaves the cluster"


def _denied(objects: Iterable[Object], state: NetworkState, probe: Probe, way: Way) -> Direction | None:
    nodes = {node.name: (*node.addresses, *node.gateway_addresses) for node in state.cluster.nodes}
    source: Party = _pod_with(state, probe.source) or probe.source
    target: Party = _pod_with(state, way.address) or way.address
    verdict = Oracle(objects, nodes).verdict(source, target, probe.protocol, way.port, probe.source.version)
    if not verdict.egress.allowed:
        return "egress"
    return None if verdict.ingress.allowed else "ingress"


def _pod_with(state: NetworkState, address: IPAddress) -> str | None:
    return next((pod.key for pod in state.pods.values() if address in pod.addresses), None)
