"""What a spec holds, by name: what the steps of an experiment may speak of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cluster import objects, system
from cluster.model import Cluster
from cluster.objects import Object
from cluster.reading.findings import Finding, found, suggestion
from experiments.scripted.steps.faults import Fault
from experiments.scripted.values import CLIENT, NODE, SERVICE, WORKLOADS, Target

_SHOWN = 8
SANDBOX = "sandbox"


@dataclass(frozen=True, slots=True)
class Known:
    """`machines`: nodes and clients; `made`: pods, Services and workloads as "kind/namespace/name"."""

    nodes: tuple[str, ...]
    clients: tuple[str, ...]
    links: tuple[frozenset[str], ...]
    made: frozenset[str]

    @classmethod
    def of(cls, cluster: Cluster, manifests: Iterable[Object]) -> Known:
        made = (
            f"{obj['kind'].lower()}/{objects.namespace(obj) or 'default'}/{objects.name(obj)}" for obj in manifests
            if obj["kind"].lower() in ("pod", SERVICE, *WORKLOADS)
        )  # fmt: skip
        return cls(
            tuple(node.name for node in cluster.nodes),
            tuple(client.name for client in cluster.clients),
            tuple(frozenset((link.a, link.b)) for link in cluster.underlay.links),
            frozenset(made),
        )

    def missing(self, text: str) -> str | None:
        """What is wrong with a name of a machine or destination, as a sentence; None if nothing is."""
        target = Target(text)
        if target.kind == "address" or text == SANDBOX or target.namespace == system.NAMESPACE:
            return None
        if target.kind in (NODE, CLIENT):
            return self._machine(target)
        wanted = f"{target.kind}/{target.namespace}/{target.name}"
        if wanted in self.made or (target.kind == "pod" and self._is_made_by_workload(target)):
            return None
        have = sorted(_short(name) for name in self.made if name.startswith(f"{target.kind}/"))
        return found(text, f"no manifest has that {target.kind}{suggestion(_short(wanted), have) or _listed(have)}")

    def missing_node(self, name: str) -> str | None:
        if name in self.nodes:
            return None
        return found(name, f"the cluster has no such node{suggestion(name, self.nodes) or _listed(self.nodes)}")

    def missing_end(self, name: str) -> str | None:
        """Of a partition: a node or a client."""
        return None if f"{name}".removeprefix("client/") in self.clients else self.missing_node(name)

    def _machine(self, target: Target) -> str | None:
        names = self.nodes if target.kind == NODE else self.clients
        if target.name in names:
            return None
        hint = suggestion(target.name, names) or _listed(names)
        return found(str(target), f"the cluster has no such {target.kind}{hint}")

    def _is_made_by_workload(self, pod: Target) -> bool:
        owners = (name.split("/") for name in self.made)
        return any(kind in WORKLOADS and space == pod.namespace and pod.name.startswith(f"{name}-")
                   for kind, space, name in owners)  # fmt: skip

    def fault_findings(self, fault: Fault) -> Iterator[Finding]:
        """What a fault is to hit and is not there; paths within the fault."""
        for name in fault.nodes:
            wrong = self.missing_end(name) if fault.what == "partition" else self.missing_node(name)
            if wrong:
                yield Finding((fault.what,), wrong)
        for target in fault.pods:
            if target.kind not in ("pod", *WORKLOADS):
                yield Finding(("pod",), found(str(target), "must be a pod, or what makes pods: deployment/web"))
            elif wrong := self.missing(str(target)):
                yield Finding(("pod",), wrong)
        if len(fault.link) == 2 and frozenset(fault.link) not in self.links:
            yield Finding(("link",), self._no_link(*fault.link))

    def _no_link(self, a: str, b: str) -> str:
        near = [" - ".join(sorted(link)) for link in self.links if link & {a, b}] or [
            " - ".join(sorted(link)) for link in self.links
        ]
        return f"found {a} - {b}; the underlay has no such link{_listed(near)}"


def _short(name: str) -> str:
    """As a user writes it: without the kind of a pod, without the namespace `default`."""
    kind, space, own = name.split("/")
    path = own if space == "default" else f"{space}/{own}"
    return path if kind == "pod" else f"{kind}/{path}"


def _listed(names: Iterable[str]) -> str:
    have = list(names)
    return f" (have: {', '.join(have[:_SHOWN])}{', …' if len(have) > _SHOWN else ''})" if have else " (have: none)"


