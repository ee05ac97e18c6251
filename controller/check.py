"""What do the policies of these manifests allow? Every pair of pods, asked of the compiled pipeline in a real switch.

No testbed, no root, no kernel: the pods are planned, their nodes' flows compiled and loaded in a switch of this process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cluster import claims
from cluster.claims import Claim
from cluster.objects import labels, name, namespace
from cluster.plan import plan
from cluster.reachability import ANY, Tables
from cluster.reading.spec import Spec
from cluster.system import NAMESPACE as SYSTEM_NAMESPACE
from controller.asking import ECHO, Answer, Asker
from controller.compiler import Compiler
from controller.dummy_switch import DummySwitch
from controller.state import NetworkState, object_key, state_of

PROTOCOLS = ("TCP", "UDP", "SCTP")


@dataclass(frozen=True, slots=True)
class Question:
    """A port, and the pods ("shop/web-1") that are asked on it. `port` 0 with ICMP."""

    protocol: str
    port: int
    targets: tuple[str, ...]

    @property
    def table(self) -> str:
        return ANY if self.protocol == ECHO else f"{self.protocol}/{self.port}"


@dataclass(frozen=True, slots=True)
class World:
    """The planned cluster. `pods` without the system's own, unless they were asked for."""

    state: NetworkState
    compiler: Compiler
    pods: tuple[claims.Pod, ...]
    declared: Mapping[str, Sequence[tuple[str, int]]]
    """(protocol, port) that each pod's containers declare."""


@dataclass(slots=True)
class Findings:
    """`answers` by (table, from, to): the deciding one, which is that of the first IP family that says no."""

    tables: Tables = field(default_factory=Tables)
    answers: dict[tuple[str, str, str], Answer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Violation:
    claim: Claim
    table: str
    source: str
    target: str


def planned(spec: Spec, with_system: bool = False) -> World:
    """Raises SpecError where a testbed would."""
    objects = plan(spec.cluster, spec.objects).objects
    state = state_of(spec.cluster, *objects)
    shown = [
        obj
        for obj in objects
        if obj["kind"] == "Pod"
        and object_key(obj) in state.pods
        and (with_system or namespace(obj) != SYSTEM_NAMESPACE)
    ]
    pods = (claims.Pod(f"{namespace(pod)}/{name(pod)}", labels(pod)) for pod in shown)
    declared = {
        object_key(pod): [
            (port.get("protocol") or "TCP", int(port["containerPort"]))
            for container in pod["spec"]["containers"]
            for port in container.get("ports") or ()
        ]
        for pod in shown
    }
    return World(state, Compiler(state), tuple(sorted(pods, key=lambda pod: pod.key)), declared)


def questions(
    world: World, ports: Sequence[int], protocols: Sequence[str], expected: Iterable[Claim] = ()
) -> list[Question]:
    """Given ports: of every pod. Else each pod's own, by echo where it declares none, and those that a claim names."""
    everybody = [pod.key for pod in world.pods]
    if ports:
        return [Question(protocol, port, tuple(everybody)) for protocol in protocols for port in ports]
    asked: dict[tuple[str, int], dict[str, None]] = {}
    for pod in everybody:
        for key in world.declared[pod] or [(ECHO, 0)]:
            asked.setdefault(key, {})[pod] = None
    for claim in expected:
        for key in _named_ports(claim):
            targets = (pod for pod in world.pods if claims.names(claim.targets, pod))
            asked.setdefault(key, {}).update(dict.fromkeys(pod.key for pod in targets))
    return [Question(*key, tuple(sorted(targets))) for key, targets in sorted(asked.items(), key=_order)]


def _order(item: tuple[tuple[str, int], object]) -> tuple[bool, int, str]:
    (protocol, port), _ = item
    return protocol == ECHO, port, protocol


def _named_ports(claim: Claim) -> Iterator[tuple[str, int]]:
    for port in claim.ports:
        protocol, _, number = port.partition("/")
        if protocol in PROTOCOLS and number.isdigit():
            yield protocol, int(number)


def ask(world: World, switch: DummySwitch, asked: Iterable[Question]) -> Findings:
    """Load what was compiled into a switch without bridges, and ask about every pair."""
    switch.add_bridges(world.state)
    for node in world.state.cluster.nodes:
        switch.load(node.bridge, world.compiler.tables[node.name])
    asker, found = Asker(switch, world.state, world.compiler), Findings()
    for question in asked:
        for source in world.pods:
            for target in question.targets:
                answer = _answer(asker, source.key, target, question)
                found.tables.put(question.table, source.key, target, answer.reaches)
                found.answers[question.table, source.key, target] = answer
    return found


def _answer(asker: Asker, source: str, target: str, question: Question) -> Answer:
    """Of both families: a name has the addresses of both, and a client may take either."""
    answer = Answer(True)
    for ip_version in asker.state.ip_versions:
        pods = asker.state.pods[source], asker.state.pods[target]
        answer = asker.ask(*pods, question.protocol, question.port, ip_version)
        if not answer.reaches:
            return replace(answer, ip_version=ip_version)
    return answer


def violations(world: World, found: Findings, expected: Sequence[Claim]) -> Iterator[Violation]:
    """Cells that are otherwise than the last claim about them."""
    by_key = {pod.key: pod for pod in world.pods}
    for table, source, target, reaches in found.tables:
        claim = claims.deciding(expected, table, by_key[source], by_key[target])
        if claim is not None and source != target and claim.reaches != reaches:
            yield Violation(claim, table, source, target)


def changes(old: Tables, new: Tables) -> Iterator[tuple[str, str, str, bool | None, bool | None]]:
    """(table, from, to, before, after) of each cell that differs; None where there is no such cell."""
    before = {(table, source, target): reaches for table, source, target, reaches in old}
    after = {(table, source, target): reaches for table, source, target, reaches in new}
    for cell in dict.fromkeys((*before, *after)):
        if before.get(cell) != after.get(cell):
            yield (*cell, before.get(cell), after.get(cell))
