"""`python -m controller.policy_figures`: what compiling NetworkPolicies costs, in figures, as JSON. For `bench policy`.

Its own process, so that memory is its own. Nothing here is random: labels follow from a pod's number.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cluster.client import Batch, Event
from cluster.model import Cluster
from cluster.objects import Object
from cluster.reading.config import resolve
from controller.desired import Desired
from controller.flow import Flow
from controller.state import object_key

PODS_PER_NODE = 50
"""And in a namespace. The two namespaces of a team share two nodes."""
APPS = 10
TEAM = 2
"""Namespaces with one team label."""
RELABELLED = 40
"""How many pods are relabelled to find the time for one."""
FIRST_NUMBER = 2


def pod(of: Cluster, number: int, app: int | None = None) -> Object:
    """The pod of this number: its namespace by the number, its node that of the namespace or the next."""
    namespace, place = divmod(number, PODS_PER_NODE)
    workers = of.nodes[1:]
    node = workers[(namespace // TEAM * TEAM + place % TEAM) % len(workers)]
    address = node.pod_cidrs[0].network_address + FIRST_NUMBER + place + PODS_PER_NODE * (namespace % TEAM)
    return {
        "kind": "Pod",
        "metadata": {
            "namespace": f"ns{namespace}", "name": f"pod{number}", "uid": f"pod{number}",
            "labels": {"app": f"app{place % APPS if app is None else app}"},
        },
        "spec": {"nodeName": node.name, "containers": []},
        "status": {"podIPs": [{"ip": str(address)}]},
    }  # fmt: skip


def policy(number: int) -> Object:
    """One app of a namespace may be reached by two others, of its own namespace and of its team's, on two ports."""
    namespace, app = divmod(number, APPS)
    peers = [
        {"podSelector": {"matchLabels": {"app": f"app{(app + 1) % APPS}"}}},
        {
            "podSelector": {"matchLabels": {"app": f"app{(app + 2) % APPS}"}},
            "namespaceSelector": {"matchLabels": {"team": f"team{namespace // TEAM}"}},
        },
    ]
    ports = [{"port": 80}, {"port": 8000 + number % 100}]
    return {
        "kind": "NetworkPolicy",
        "metadata": {"namespace": f"ns{namespace}", "name": f"policy{number}"},
        "spec": {
            "podSelector": {"matchLabels": {"app": f"app{app}"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": peers, "ports": ports}],
            "egress": [{"to": peers, "ports": ports}],
        },
    }


def objects(of: Cluster, pods: int) -> Iterator[Object]:
    """As many policies as there are apps of namespaces: a cluster grows by namespaces."""
    namespaces = pods // PODS_PER_NODE
    for number in range(namespaces):
        metadata = {"name": f"ns{number}", "labels": {"team": f"team{number // TEAM}"}}
        yield {"kind": "Namespace", "metadata": metadata}
    yield from (pod(of, number) for number in range(pods))
    yield from (policy(number) for number in range(namespaces * APPS))


def cluster_object(nodes: int) -> Object:
    return {
        "apiVersion": "mininetes.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": "figures"},
        "nodes": [{"role": "control-plane"}, {"role": "worker", "count": nodes}],
        "networking": {"podSubnet": "10.128.0.0/10"},
    }


def batch(revision: int, some: Iterable[Object]) -> Batch:
    return Batch(revision, tuple(Event("ADDED", obj) for obj in some), reset=revision == 1)


def compiled(nodes: int, some: Callable[[Cluster], Iterable[Object]]) -> tuple[Desired, Cluster, float]:
    """What the controller makes of these objects as its first batch, and the seconds that it took."""
    document = cluster_object(nodes)
    of = resolve({key: value for key, value in document.items() if key != "metadata"})
    first = batch(1, [document, *some(of)])
    desired = Desired()
    began = time.perf_counter()
    desired.take(first)
    return desired, of, time.perf_counter() - began


def scale(pods: int) -> dict[str, Any]:
    """A cluster of this size: compiled from scratch, and then one pod relabelled after the other."""
    desired, of, compile_s = compiled(-(-pods // PODS_PER_NODE), lambda of: objects(of, pods))
    flows = sum(len(table.flows) for table in desired.tables.values())
    samples, sent, foreign = [], [], []
    for number in range(RELABELLED):
        chosen = number * (TEAM * PODS_PER_NODE // RELABELLED)  # the same pods, however many others there are
        changed = pod(of, chosen, app=(chosen % PODS_PER_NODE + 7) % APPS)
        known = {node: len(table.touched) for node, table in desired.tables.items()}
        news = batch(2 + number, [changed])
        began = time.perf_counter()
        desired.take(news)
        samples.append((time.perf_counter() - began) * 1000)
        came = {
            (node, flow)
            for node, table in desired.tables.items()
            for flow in table.touched[known[node] :]
            if isinstance(flow, Flow) and flow.key in table.flows
        }
        own = f"Pod {object_key(changed)}", f"={changed['status']['podIPs'][0]['ip']},"
        sent.append(len(came))
        foreign.append(sum(flow.owner != own[0] and own[1] not in f"{flow}," for _, flow in came))
    return {
        "pods": pods, "policies": pods // PODS_PER_NODE * APPS, "flows": flows, "compile_s": compile_s,
        "relabel_ms": samples, "relabel_flows": sent, "relabel_foreign_flows": foreign,
        "memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }  # fmt: skip


def product(sources: int, destinations: int, ports: int) -> dict[str, Any]:
    """One policy: these sources may reach these destinations on these ports."""
    count = sources + destinations

    def pods(of: Cluster) -> list[Object]:
        made = [pod(of, number) for number in range(count)]
        for number, each in enumerate(made):
            role = "source" if number < sources else "destination"
            each["metadata"] |= {"namespace": "ns0", "labels": {"role": role}}
        return made

    one = {
        "kind": "NetworkPolicy",
        "metadata": {"namespace": "ns0", "name": "one"},
        "spec": {
            "podSelector": {"matchLabels": {"role": "destination"}},
            "ingress": [
                {
                    "from": [{"podSelector": {"matchLabels": {"role": "source"}}}],
                    "ports": [{"port": 8000 + 10 * port} for port in range(ports)],
                }
            ],
        },
    }
    desired, _, _ = compiled(-(-count // PODS_PER_NODE), lambda of: [*pods(of), one])
    rule = {
        (flow.table, flow.priority, flow.match)
        for table in desired.tables.values()
        for flow in table
        if flow.owner == "NetworkPolicy ns0/one"
    }
    return {"sources": sources, "destinations": destinations, "ports": ports, "flows": len(rule)}


def main() -> None:
    kind, *numbers = sys.argv[1:]
    measures: dict[str, Callable[..., dict[str, Any]]] = {"scale": scale, "product": product}
    json.dump(measures[kind](*map(int, numbers)), sys.stdout)


if __name__ == "__main__":
    main()
