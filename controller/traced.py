"""`python -m controller.traced SRC DST PORT PROTOCOL`, run inside a sandbox: one packet's way, as JSON.

SRC: [NS/]POD or node/NAME. DST: these, service/[NS/]NAME, or an address. What is observed stands beside what the API
says (`controller/trace_expected.py`), and beside it what the policies said (`controller/trace_policies.py`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cluster import run_directory, seed
from cluster.client import Client
from cluster.model import GATEWAY_MAC, OF_PORT_TRUNK, IPAddress, Node
from cluster.objects import Object, name, namespace
from cluster.policy_names import Places
from cluster.problems import NoTestbedError
from cluster.run_directory import API_SOCKET, SEED
from cluster.service_oracle import cluster_ips
from controller.compiler import Compiler
from controller.desired import WATCHED_KINDS, initial_state
from controller.policy_model import network_policy
from controller.state import NetworkState, object_key
from controller.trace import Ask, Probe, Tracer
from controller.trace_expected import expected
from controller.trace_policies import judged

SOURCE_PORT = 40000


@dataclass(frozen=True, slots=True)
class Question:
    """`port` None: the first of the Service, 80 otherwise."""

    source: str
    destination: str
    port: int | None
    protocol: str


def answer(
    state: NetworkState, objects: Sequence[Object], question: Question, ask: Ask, places: Places | None = None
) -> Mapping[str, Any]:
    """`objects` are those that the state was made of, `places` those of policies, where they are known.

    Raises NoTestbedError for names that nobody has, ValueError where a trace leads nowhere.
    """
    places = places or Places()
    destinations = _addresses(objects, state, question.destination)
    services = [obj for obj in objects if obj["kind"] == "Service"]
    probe = _probe(state, question, destinations, _port(services, destinations, question))
    compiler = Compiler(state)
    way = Tracer(state, compiler, ask).way(probe)
    should = expected(objects, state, probe, way)
    return {
        "from": question.source,
        "to": question.destination,
        "protocol": probe.protocol,
        "address": str(probe.destination),
        "port": probe.destination_port,
        "hops": [asdict(hop) for hop in way.hops],
        "observed": {"verdict": way.verdict, "at": way.at, "address": str(way.address), "port": way.port},
        "policies": [each.as_json(places) for each in judged(way, probe.source, state, compiler.policies)],
        "expected": should.as_json(),
        "agree": should.agrees(way),
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
        if not any(each in subnet for each in destinations for subnet in (*cluster.pod_subnets, *cluster.service_subnets)):
            raise NoTestbedError(f"{rest} reaches {question.destination} by routes of its own: no switch is on the way")
    elif pod is not None:
        node = cluster.node_by_name[pod.node]
        in_port, mac, sources = pod.of_port, pod.mac, pod.addresses
        if set(destinations) & set(sources):
            raise NoTestbedError(f"{question.source} has this address itself: no switch is on the way")
    else:
        raise NoTestbedError(f"there is no pod or node {question.source!r} with an address")
    for source in sources:
        for destination in destinations:
            if source.version == destination.version:
                return Probe(
                    node.name, in_port, mac, GATEWAY_MAC, question.protocol, source, destination, SOURCE_PORT, port
                )
    raise NoTestbedError(f"{question.source} and {question.destination} have no IP family in common")


def _ask(bridge: str, packet: str) -> str:
    command = ("ovs-appctl", "ofproto/trace", bridge, packet)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _places(run: Path, state: NetworkState) -> Places:
    """Of the policies that still are as the files had them; of what was made or changed later, no file is known."""
    given = seed.read(run / SEED).documents
    return Places(each for each in given if state.policies.get(object_key(each.data)) == network_policy(each.data))


def main() -> None:
    source, destination, port, protocol = sys.argv[1:]
    run = run_directory.inside()
    _, objects = Client(run / API_SOCKET).objects(WATCHED_KINDS)
    question, state = Question(source, destination, int(port) if port else None, protocol.upper()), initial_state(objects)
    try:
        json.dump(answer(state, objects, question, _ask, _places(run, state)), sys.stdout)
    except NoTestbedError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
