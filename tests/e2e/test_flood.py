"""There is no instant at which a packet passes that the policies before a change and those after it both forbid: packets
come by the thousand while pods and policies are made and changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from manifests import Object, cluster, netexec, pod, tools
from testbeds import COMMAND_TIMEOUT_S, PATIENCE_S, Testbed, started

from cluster.reading.config import resolve
from topo.waiting import wait_until

FLOOD, SNIFFER = (Path(__file__).with_name(name).read_text() for name in ("flood.py", "sniffer.py"))
ROUNDS = int(os.environ.get("MININETES_FLOOD_ROUNDS", "2"))
"""How often each change is made (and taken back) under fire."""
RATE = 12000
"""Packets a second, together."""
LONGEST_S = 60 + ROUNDS
DOCUMENT = cluster()
NODES = ("worker", "worker2")
NEW_PODS = 3
"""On each node: two that are shut, and one that is open, to see that the packets find them."""
Target = tuple[str, int]
Pair = tuple[str, str, int]
"""(sender, receiver, port)."""


def placed(name: str, namespace: str, node: str, *containers: Object, **labels: str) -> Object:
    made = pod(name, *containers, nodeName=node, terminationGracePeriodSeconds=0)
    made["metadata"] |= {"namespace": namespace, "labels": {"name": name, **labels}}
    return made


def policy(name: str, namespace: str, labels: Mapping[str, str], **rules: Any) -> Object:
    spec = {"podSelector": {"matchLabels": dict(labels)}, **rules}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def rule(direction: str, port: int, pods: Mapping[str, str], namespaces: Mapping[str, str] | None = None) -> Object:
    peer = {"podSelector": {"matchLabels": dict(pods)}, "namespaceSelector": {"matchLabels": dict(namespaces or {})}}
    ports = [{"protocol": protocol, "port": port} for protocol in ("TCP", "UDP")]
    return {{"ingress": "from", "egress": "to"}[direction]: [peer], "ports": ports}


WALL = {"policyTypes": ["Ingress", "Egress"]}


@dataclass
class Ground:
    """a, b, c (outside) and e (behind a wall) send; y and y2 (behind a wall) and t, t2 (open) receive, on two nodes."""

    testbed: Testbed

    def address(self, pod: str) -> str:
        return str(self.testbed.pod_object(pod)["status"]["podIPs"][0]["ip"])

    def apply(self, *objects: Object) -> None:
        self.testbed.client.apply(objects)
        self.testbed.client.sync(PATIENCE_S)

    def relabel(self, obj: Object, **labels: str) -> None:
        obj["metadata"]["labels"] |= labels
        self.apply(obj)

    def delete(self, *objects: Object) -> None:
        for each in objects:
            self.testbed.client.delete(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"])
        self.testbed.client.sync(PATIENCE_S)

    def under_fire(self, fire: Sequence[Pair], change: Callable[[], None]) -> dict[Pair, int]:
        """How many packets of each of these streams came while `change` was made."""
        where = {name: NAMESPACE[name] for pair in fire for name in pair[:2]}
        address = {name: self.address(name) for name in where}
        with ExitStack() as stack:
            ears = {name: self.run(stack, name, SNIFFER) for name in {pair[1] for pair in fire}}
            rate = RATE / len(fire)
            floods = [
                self.run(stack, sender, FLOOD, rate * len(targets), LONGEST_S, *targets)
                for sender in sorted({pair[0] for pair in fire})
                for targets in [[f"{address[to]}:{port}" for source, to, port in fire if source == sender]]
            ]
            change()
            for flood in floods:
                sent = ended(flood)
                assert sent["sent"] > 0, sent
            came = {name: ended(ear) for name, ear in ears.items()}
        assert not any(each["lost"] for each in came.values()), came
        counts = {(source, to, port): count for to, each in came.items() for source, port, count in _by_port(each["came"])}
        return {pair: counts.get((address[pair[0]], *pair[1:]), 0) for pair in fire}

    def run(self, stack: ExitStack, name: str, script: str, *words: object) -> Popen[str]:
        target = f"{NAMESPACE[name]}/{name}"
        process = stack.enter_context(self.testbed.running(target, "python3", "-c", script, *map(str, words)))
        assert process.stdout is not None
        if not process.stdout.readline():
            raise AssertionError(process.communicate(timeout=COMMAND_TIMEOUT_S))
        return process


def _by_port(came: Sequence[Sequence[Any]]) -> Iterator[tuple[str, int, int]]:
    """UDP and TCP together."""
    counts: dict[tuple[str, int], int] = {}
    for source, _, port, count in came:
        counts[source, port] = counts.get((source, port), 0) + count
    return ((source, port, count) for (source, port), count in counts.items())


def ended(process: Popen[str]) -> Any:
    """What it says when it is told to end."""
    process.terminate()
    out, err = process.communicate(timeout=COMMAND_TIMEOUT_S)
    assert out, err
    return json.loads(out)


NAMESPACE = {"a": "outside", "b": "outside", "c": "outside", "e": "outside", "t": "open", "t2": "open",
             "y": "guarded", "y2": "guarded"}  # fmt: skip
PODS = {
    name: placed(name, namespace, "worker2" if name.endswith("2") else "worker", role="r1", app=name)
    for name, namespace in NAMESPACE.items()
}


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    namespaces: list[Object] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"ns": name, "team": "t1"}}}
        for name in ("outside", "open", "guarded")
    ]
    with started(DOCUMENT, *namespaces, *PODS.values()) as testbed:
        yield Ground(testbed)


@pytest.fixture
def wall(ground: Ground) -> Iterator[Object]:
    """Nothing comes into guarded, nothing leaves it."""
    made = policy("wall", "guarded", {}, **WALL)
    ground.apply(made)
    yield made
    ground.delete(made)


def received(testbed: Testbed, target: str) -> int:
    """How many packets a pod's interface has got since it was made."""
    lines = testbed.exec(target, "cat", "/proc/net/dev").output.splitlines()
    (counts,) = (line.partition(":")[2].split() for line in lines if line.strip().startswith("eth0:"))
    return int(counts[1])


def next_addresses(testbed: Testbed) -> list[str]:
    """Those that the next pods of each node get."""
    _, found = testbed.client.objects(["Pod"])
    taken = {entry["ip"] for each in found for entry in each["status"].get("podIPs", ())}
    addresses = []
    for node in map(resolve(DOCUMENT).node_by_name.__getitem__, NODES):
        numbers = (number for number in range(255, 1, -1) if str(node.pod_cidrs[0].network_address + number) in taken)
        last = next(numbers)
        addresses += [str(node.pod_cidrs[0].network_address + last + more) for more in range(1, NEW_PODS + 1)]
    return addresses


@pytest.mark.usefixtures("wall")
def test_a_new_pod_is_never_reached_by_whom_the_policies_forbid(ground: Ground) -> None:
    testbed = ground.testbed
    targets = [f"{address}:80" for address in next_addresses(testbed)]
    with ExitStack() as stack:
        flood = ground.run(stack, "c", FLOOD, RATE, LONGEST_S, *targets)
        new = [
            placed(f"new-{number}", "open" if number == NEW_PODS else "guarded", node, netexec())
            for node in NODES
            for number in range(1, NEW_PODS + 1)
        ]
        for each in new:
            each["metadata"]["name"] += f"-{each['spec']['nodeName']}"
            testbed.client.apply([each])
        testbed.client.sync(PATIENCE_S)
        names = [f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in new]
        is_open = [name for name in names if name.startswith("open/")]
        wait_until(lambda: all(received(testbed, name) for name in is_open), PATIENCE_S, "packets for open pods")
        got = {name: received(testbed, name) for name in names if name not in is_open}
        assert ended(flood)["sent"] > 0
    assert got == dict.fromkeys(got, 0)
    ground.delete(*new)


@pytest.mark.usefixtures("wall")
def test_a_new_pod_never_reaches_whom_the_policies_forbid(ground: Ground) -> None:
    testbed = ground.testbed
    targets = [f"{ground.address(name)}:80" for name in ("t", "t2")]
    command = ("python3", "-c", FLOOD, str(RATE / 4), "1", *targets)
    with ExitStack() as stack:
        ears = {name: ground.run(stack, name, SNIFFER) for name in ("t", "t2")}
        new = [
            placed(f"{namespace}-from-{node}", namespace, node, tools(*command))
            for node in NODES
            for namespace in ("guarded", "open")
        ]
        for each in new:
            each["spec"]["restartPolicy"] = "Never"
        ground.testbed.client.apply(new)
        names = [each["metadata"]["name"] for each in new]
        for name in names:
            testbed.wait_for_pod(name, lambda found: found["status"]["phase"] == "Succeeded", "done")
        sources = {ground.address(name): name for name in names}
        came = {name: ended(ear) for name, ear in ears.items()}
    senders = {(sources.get(source, source), to) for to, each in came.items() for source, *_ in each["came"]}
    assert senders == {(f"open-from-{node}", to) for node in NODES for to in ("t", "t2")}
    ground.delete(*new)


@pytest.mark.usefixtures("wall")
def test_a_new_policy_lets_nobody_pass_whom_it_does_not_name(ground: Ground) -> None:
    made = [
        policy("in", "guarded", {}, ingress=[rule("ingress", 80, {"app": "a"}, {"ns": "outside"})]),
        policy("block", "guarded", {}, ingress=[{"from": [{"ipBlock": {"cidr": f"{ground.address('a')}/32"}}]}]),
        policy("out", "outside", {"app": "c"}, egress=[rule("egress", 81, {"role": "r1"})], **WALL),
    ]

    def change() -> None:
        for _ in range(ROUNDS):
            for each in made:
                ground.apply(each)
            ground.delete(*made)

    shut = [("c", "y", 80), ("c", "y2", 80), ("b", "y", 80), ("b", "y2", 80)]
    now_and_then = [("a", "y", 80), ("a", "y2", 80)]
    came = ground.under_fire([*shut, *now_and_then], change)
    assert {pair: came[pair] for pair in shut} == dict.fromkeys(shut, 0)
    assert all(came[pair] > 0 for pair in now_and_then), came


def test_a_changed_policy_never_mixes_its_old_and_its_new_rule(ground: Ground) -> None:
    def ingress(app: str, port: int) -> Object:
        return policy("in", "guarded", {}, ingress=[rule("ingress", port, {"app": app}, {"ns": "outside"})])

    def egress(role: str, port: int) -> Object:
        rules = {"policyTypes": ["Egress"], "egress": [rule("egress", port, {"app": role}, {"ns": "open"})]}
        return policy("out", "outside", {"app": "e"}, **rules)

    old, new = [ingress("a", 80), egress("t", 80)], [ingress("b", 81), egress("t2", 81)]
    ground.apply(*old)

    def change() -> None:
        for _ in range(ROUNDS):
            ground.apply(*new)
            ground.apply(*old)

    shut = [("a", "y", 81), ("b", "y", 80), ("a", "y2", 81), ("b", "y2", 80), ("e", "t", 81), ("e", "t2", 80)]
    now_and_then = [("a", "y", 80), ("b", "y2", 81), ("e", "t", 80), ("e", "t2", 81)]
    came = ground.under_fire([*shut, *now_and_then], change)
    ground.delete(*old)
    assert {pair: came[pair] for pair in shut} == dict.fromkeys(shut, 0)
    assert all(came[pair] > 0 for pair in now_and_then), came


def test_a_changed_label_lets_nobody_pass_who_is_shut_out_before_and_after(ground: Ground) -> None:
    """The receiver goes from one policy to another, the sender from one label to another, a namespace likewise."""
    made = [
        policy("one", "guarded", {"role": "r1"}, ingress=[rule("ingress", 80, {"app": "a"}, {"team": "t1"})]),
        policy("two", "guarded", {"role": "r2"}, ingress=[rule("ingress", 81, {"app": "a2"}, {"team": "t1"})]),
        policy("three", "guarded", {"role": "r2"}, ingress=[rule("ingress", 82, {"app": "b"}, {"team": "t2"})]),
    ]
    ground.apply(*made)
    namespace: Object = {"apiVersion": "v1", "kind": "Namespace",
                         "metadata": {"name": "outside", "labels": {"ns": "outside", "team": "t1"}}}  # fmt: skip

    def change() -> None:
        for _ in range(ROUNDS):
            for role, app, team in (("r2", "a2", "t1"), ("r2", "a2", "t2"), ("r1", "a", "t1")):
                ground.relabel(PODS["y"], role=role)
                ground.relabel(PODS["y2"], role=role)
                ground.relabel(PODS["a"], app=app)
                ground.relabel(namespace, team=team)

    shut = [("c", "y", 80), ("c", "y2", 81), ("b", "y", 80), ("b", "y2", 81), ("a", "y", 82), ("a", "y2", 82)]
    now_and_then = [("a", "y", 80), ("a", "y2", 81), ("b", "y", 82)]
    came = ground.under_fire([*shut, *now_and_then], change)
    ground.delete(*made)
    assert {pair: came[pair] for pair in shut} == dict.fromkeys(shut, 0)
    assert all(came[pair] > 0 for pair in now_and_then), came
