"""`python -m controller.traced SRC DST PORT PROTOCOL`, run inside a sandbox: one packet's way, as JSON.

SRC: [NS/]POD or node/NAME. DST: these, service/[NS/]NAME, or an address. What is observed stands beside what the API
says (`cluster/service_oracle.py` for Services).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cluster.client import Client
from cluster.model import GATEWAY_MAC, OF_PORT_TRUNK, IPAddress, Node
from cluster.objects import Object, name, namespace
from cluster.problems import NoTestbedError
from cluster.service_oracle import ClientPlace, Outcome, cluster_ips, outcome
from controller.compiler import compile
from controller.desired import WATCHED_KINDS, initial_state
from controller.dump import RUN_DIRECTORY
from controller.state import NetworkState
from controller.trace import Ask, Probe, Tracer, Way

SOURCE_PORT = 40000


@dataclass(frozen=True, slots=True)
class Question:
    """`port` None: the first of the Service, 80 otherwise."""

    source: str
    destination: str
    port: int | None
    protocol: str


def answer(state: NetworkState, objects: Sequence[Object], question: Question, ask: Ask) -> Mapping[str, Any]:
    """`objects` are those that the state was made of. Raises NoTestbedError for names that nobody has, ValueError where a trace leads nowhere."""
    destinations = _addresses(objects, state, question.destination)
    services = [obj for obj in objects if obj["kind"] == "Service"]
    probe = _probe(state, question, destinations, _port(services, destinations, question))
    way = Tracer(state, compile(state), ask).way(probe)
    expected = _expected(objects, services, state, probe)
    return {
        "from": question.source,
        "to": question.destination,
        "protocol": probe.protocol,
        "address": str(probe.destination),
        "port": probe.destination_port,
        "hops": [asdict(hop) for hop in way.hops],
        "observed": {"verdict": way.verdict, "at": way.at, "address": str(way.address), "port": way.port},
        "expected": _told(expected),
        "agree": _agree(way, expected),
    }


def _port(services: Iterable[Object], destinations: Sequence[IPAddress], question: Question) -> int:
    if question.port is not None:
        return question.port
    for service in services:
        if set(cluster_ips(service)) & set(destinations):
            for port in service["spec"].get("ports") or ():
                if port.get("protocol", "TCP") == question.protocol:
                    return int(port["port"])
    return 80


def _addresses(objects: Iterable[Object], state: NetworkState, target: str) -> Sequence[IPAddress]:
    try:
        return [ip_address(target)]
    except ValueError:
        pass
    kind, _, rest = target.partition("/")
    if kind == "node" and rest in state.cluster.node_by_name:
        return state.cluster.node_by_name[rest].addresses
    if kind in ("service", "services", "svc"):
        wanted = rest if "/" in rest else f"default/{rest}"
        for obj in objects:
            if obj["kind"] == "Service" and f"{namespace(obj)}/{name(obj)}" == wanted and cluster_ips(obj):
                return cluster_ips(obj)
        raise NoTestbedError(f"no Service with an address is called {wanted}")
    wanted = target if "/" in target else f"default/{target}"
    if wanted in state.pods:
        return state.pods[wanted].addresses
    raise NoTestbedError(f"there is no pod, node or Service {target!r} with an address")


def _probe(state: NetworkState, question: Question, destinations: Sequence[IPAddress], port: int) -> Probe:
    cluster = state.cluster
    kind, _, rest = question.source.partition("/")
    pod = state.pods.get(question.source if "/" in question.source else f"default/{question.source}")
    if kind == "node" and rest in cluster.node_by_name:
        node: Node = cluster.node_by_name[rest]
        in_port, mac, sources = OF_PORT_TRUNK, node.gateway_mac, node.gateway_addresses
    elif pod is not None:
        node = cluster.node_by_name[pod.node]
        in_port, mac, sources = pod.of_port, pod.mac, pod.addresses
    else:
        raise NoTestbedError(f"there is no pod or node {question.source!r} with an address")
    for source in sources:
        for destination in destinations:
            if source.version == destination.version:
                return Probe(
                    node.name, in_port, mac, GATEWAY_MAC, question.protocol, source, destination, SOURCE_PORT, port
                )
    raise NoTestbedError(f"{question.source} and {question.destination} have no IP family in common")


def _expected(
    objects: Iterable[Object], services: Sequence[Object], state: NetworkState, probe: Probe
) -> Outcome | None:
    """None: nothing but that it arrives where it is sent."""
    if not any(probe.destination in subnet for subnet in state.cluster.service_subnets):
        return None
    slices = [obj for obj in objects if obj["kind"] == "EndpointSlice"]
    place = ClientPlace(probe.node, state.cluster.node_by_name[probe.node].zone or "")
    return outcome(services, slices, place, probe.destination, probe.protocol, probe.destination_port)


def _told(expected: Outcome | None) -> Mapping[str, Any]:
    if expected is None:
        return {"verdict": "delivered"}
    endpoints = sorted(expected.endpoints)
    verdict = "delivered" if expected.verdict == "reaches" else expected.verdict
    return {"verdict": verdict, "endpoints": [{"address": str(address), "port": port} for address, port in endpoints]}


def _agree(way: Way, expected: Outcome | None) -> bool:
    if expected is None or expected.verdict == "reaches":
        return way.verdict == "delivered" and (expected is None or (way.address, way.port) in expected.endpoints)
    return way.verdict == expected.verdict


def _ask(bridge: str, packet: str) -> str:
    command = ("ovs-appctl", "ofproto/trace", bridge, packet)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    source, destination, port, protocol = sys.argv[1:]
    run = Path(os.environ.get("MININETES_RUN", RUN_DIRECTORY))
    _, objects = Client(run / "api.sock").objects(WATCHED_KINDS)
    question = Question(source, destination, int(port) if port else None, protocol.upper())
    try:
        json.dump(answer(initial_state(objects), objects, question, _ask), sys.stdout)
    except NoTestbedError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
