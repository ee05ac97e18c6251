"""mininetes matrix: who reaches whom, by real packets."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address

import click

from cluster import objects, system
from cluster.client import Client
from cluster.commands import name_option, output_option, print_json
from cluster.model import IPAddress
from cluster.objects import Object
from cluster.problems import Problem, SpecError
from cluster.reachability import ANY, Tables, lines
from cluster.well_known import SERVICE_NAME_LABEL
from topo import cover, images, reach, sandbox
from topo.agnhost_commands import Served
from topo.commands.enter import cluster_of
from topo.places import place_of_pod
from topo.reach import Question

_SAMPLE_SEED = 1


@dataclass(frozen=True, slots=True)
class Peer:
    """A row or column: its name ("shop/web-1", "node/worker"), namespace and node, and, of a pod, how to reach it."""

    name: str
    netns: str
    node: str
    addresses: tuple[IPAddress, ...] = ()
    protocol: str = "icmp"
    port: int = 0


@click.command()
@name_option
@click.option("--ports", metavar="P,…", help="Ask on these ports; else each pod on one it serves, or by ICMP echo.")
@click.option("--protocols", default="tcp", show_default=True, metavar="P,…", help="tcp, udp, sctp; goes with --ports.")
@click.option("--via", type=click.Choice(["pod-ip", "cluster-ip"]), default="pod-ip", show_default=True)
@click.option("--with-nodes", is_flag=True, help="Nodes ask too.")
@click.option("--with-system", is_flag=True, help="The cluster's own pods (namespace kube-system) too.")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Only N pairs, always the same ones.")
@click.option("--cover", "covering", is_flag=True,
              help="Few pairs that stand for all: every node towards every node, every pod on both sides.")
@click.option("--timeout", "timeout_s", default=1.0, show_default=True, metavar="S", help="Seconds for an answer.")
@click.option("--expect-full", is_flag=True, help="Exit with 1 unless everybody reaches everybody.")
@output_option("table", "json")
def matrix(
    name: str | None, ports: str | None, protocols: str, via: str, with_nodes: bool, with_system: bool,
    sample: int | None, covering: bool, timeout_s: float, expect_full: bool, form: str,
) -> int:  # fmt: skip
    """Who reaches whom, by real packets: every pair of pods, a new connection each."""
    testbed = sandbox.find(name)
    _, found = Client(testbed.api_socket).objects(["Pod", "Service", "EndpointSlice"])
    hidden = () if with_system else (system.NAMESPACE,)
    pods = [obj for obj in found if obj["kind"] == "Pod" and objects.namespace(obj) not in hidden]
    targets = [peer for pod in pods if (peer := _peer(pod)) is not None]
    if via == "cluster-ip":
        targets = list(_through_services(targets, found))
    cluster = cluster_of(testbed)
    nodes = [node.name for node in cluster.nodes]
    if covering:
        pairs = list(cover.pairs([[peer for peer in targets if peer.node == node] for node in nodes]))
    else:
        sources = [*targets, *(Peer(f"node/{node}", node, node) for node in nodes if with_nodes)]
        pairs = [(source, target) for source in sources for target in targets]
    if sample is not None and sample < len(pairs):
        pairs = random.Random(_SAMPLE_SEED).sample(pairs, sample)
    far = any(link.shape.delay_ms for link in cluster.underlay.links)
    asked = list(_questions(pairs, _numbers(ports), protocols.split(","), far))

    def run() -> int:
        tables = _ask(asked, timeout_s)
        if form == "json":
            print_json(tables.to_json())
        else:
            click.echo("\n".join(lines(tables)))
        return 1 if expect_full and not tables.full else 0

    sys.stdout.flush()
    return sandbox.run_inside(testbed, run)


Asked = tuple[str, Peer, Peer, tuple[Question, ...]]
"""Table, from, to, and the questions that must all be answered: one for each address of the target."""


def _questions(
    pairs: Iterable[tuple[Peer, Peer]], ports: Sequence[int], protocols: Sequence[str], far: bool
) -> Iterator[Asked]:
    """`far`: some nodes are farther from each other than others are."""
    for source, target in pairs:
        choices = [(f"{protocol.upper()}/{port}", protocol, port) for protocol in protocols for port in ports]
        for table, protocol, port in choices or [(ANY, target.protocol, target.port)]:
            way = (source.node, target.node) if far else ("", "")
            questions = tuple(Question(source.netns, address, protocol, port, way) for address in target.addresses)
            yield table, source, target, questions


def _ask(asked: Sequence[Asked], timeout_s: float) -> Tables:
    answers = reach.answers([question for *_, questions in asked for question in questions], timeout_s, attempts=2)
    tables = Tables()
    for table, source, target, questions in asked:
        tables.put(table, source.name, target.name, all(answers[question] for question in questions))
    return tables


def _numbers(ports: str | None) -> Sequence[int]:
    words = ports.split(",") if ports else []
    for word in words:
        if not word.isdigit() or not 0 < int(word) < 65536:
            raise SpecError([Problem("--ports", 0, "", "", f"found {word!r}; must be numbers from 1 to 65535")])
    return [int(word) for word in words]


def _peer(pod: Object) -> Peer | None:
    """A pod that has addresses and runs, with the first port that it serves."""
    state = pod.get("status", {})
    addresses = tuple(ip_address(entry["ip"]) for entry in state.get("podIPs", ()))
    if not addresses or state.get("phase") != "Running":
        return None
    key = f"{objects.namespace(pod)}/{objects.name(pod)}"
    protocol, port = _served(pod) or ("icmp", 0)
    return Peer(key, place_of_pod(pod).netns, pod["spec"]["nodeName"], addresses, protocol, port)


def _served(pod: Object) -> tuple[str, int] | None:
    programs = [images.program(container, pod) for container in pod["spec"]["containers"]]
    servers = [server for program in programs if isinstance(program, Served) for server in program.servers]
    for protocol in ("tcp", "udp"):
        for server in servers:
            # A name server answers questions about names only.
            if server.protocol == protocol and server.kind != "dns":
                return protocol, server.port
    return None


def _through_services(pods: Iterable[Peer], found: Iterable[Object]) -> Iterator[Peer]:
    """Each pod at the address of a Service that has it as its only endpoint; pods without one are left out."""
    services = {(objects.namespace(obj), objects.name(obj)): obj for obj in found if obj["kind"] == "Service"}
    single: dict[str, Mapping[str, object]] = {}
    for obj in found:
        endpoints: list[Object] = (obj.get("endpoints") or []) if obj["kind"] == "EndpointSlice" else []
        service = services.get((objects.namespace(obj), objects.labels(obj).get(SERVICE_NAME_LABEL, "")))
        if len(endpoints) == 1 and service is not None:
            target = endpoints[0].get("targetRef") or {}
            single[f"{target.get('namespace')}/{target.get('name')}"] = service["spec"]
    for pod in pods:
        cluster_ips = single.get(pod.name, {}).get("clusterIPs")
        if isinstance(cluster_ips, list) and cluster_ips != ["None"]:
            addresses = tuple(ip_address(address) for address in cluster_ips)
            yield replace(pod, addresses=addresses)
