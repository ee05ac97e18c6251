"""A pod that forges its addresses, answers for another, or wraps packets by hand reaches nothing that it could not reach
before, and hears nothing that was not for it. On a shared port (macvlan), and with one of its own, which is what a pod
gets that may change its interfaces.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from forgeries import PORT, Forgeries
from manifests import Object, cluster, pod, tools
from testbeds import COMMAND_TIMEOUT_S, Testbed, started

from cluster.model import OF_PORT_TRUNK, VXLAN_PORT, Cluster, PodInterface
from cluster.objects import pod_interface
from cluster.reading.config import resolve

FORGER, CATCHER = (Path(__file__).with_name(name).read_text() for name in ("forger.py", "catcher.py"))
LAST, SERVICE_IP = 6666, "10.96.77.77"
DOCUMENT = cluster(ip_family="dual", network={"attachment": "macvlan"})
SEND = "import socket,sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', int(sys.argv[1])));"
SEND += " [s.sendto(b'hello', (host, int(sys.argv[2]))) for host in sys.argv[3:]]"


def _objects() -> list[Object]:
    """friend and victim beside the attackers, guest and far on the other node; only friends reach victim and far."""
    strong = tools(securityContext={"capabilities": {"add": ["NET_ADMIN"]}})
    pods = [
        pod("plain", nodeName="worker"), pod("strong", strong, nodeName="worker"), pod("friend", nodeName="worker"),
        pod("victim", nodeName="worker"), pod("guest", nodeName="worker2"), pod("far", nodeName="worker2"),
    ]  # fmt: skip
    for each in pods:
        role = {"victim": "shut", "far": "shut", "friend": "known", "guest": "known"}
        each["metadata"]["labels"] = {"role": role.get(each["metadata"]["name"], "none")}
    known = {"podSelector": {"matchLabels": {"role": "known"}}}
    shut = {"podSelector": {"matchLabels": {"role": "shut"}}, "ingress": [{"from": [known]}]}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "shut"}, "spec": shut}
    return [DOCUMENT, *pods, policy, *_service_to_a_node()]


def _service_to_a_node() -> list[Object]:
    """Its port is the node worker's own VXLAN port."""
    ports = [{"protocol": "UDP", "port": VXLAN_PORT}]
    metadata = {"name": "unwrap-1", "labels": {"kubernetes.io/service-name": "unwrap"}}
    worker = _model().node_by_name["worker"].gateway_addresses[0]
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "unwrap"},
         "spec": {"clusterIP": SERVICE_IP, "ports": ports}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata, "addressType": "IPv4",
         "ports": ports, "endpoints": [{"addresses": [str(worker)]}]},
    ]  # fmt: skip


def _model() -> Cluster:
    return resolve(DOCUMENT)


@dataclass
class Scene:
    testbed: Testbed
    pods: dict[str, PodInterface]

    def forgeries(self, attacker: str) -> tuple[Forgeries, set[int]]:
        """All of them, and the source ports of the packets that are as they should be, to friend."""
        friend, victim, guest, far = (self.pods[name] for name in ("friend", "victim", "guest", "far"))
        here, there = (_model().node_by_name[name] for name in ("worker", "worker2"))
        made = Forgeries(self.pods[attacker])
        honest = made.honest(friend)
        for target in (victim, far):
            made.as_somebody_else(target, friend, here)
        service_ip = type(victim.addresses[0])(SERVICE_IP)
        made.wrapped(victim, guest, here, service_ip)
        made.wrapped(far, friend, there, service_ip)
        made.as_a_neighbour(friend, (victim.mac, here.gateway_mac))
        made.as_a_neighbour(victim, (friend.mac, here.gateway_mac))
        return made, honest

    def run(self, target: str, script: str, *words: object) -> Popen[str]:
        """A script in a pod, once it has said its first word."""
        process = self.stack.enter_context(self.testbed.running(target, "python3", "-c", script, *map(str, words)))
        assert process.stdout is not None
        if not process.stdout.readline():
            raise AssertionError(process.communicate(timeout=COMMAND_TIMEOUT_S))
        return process

    stack: ExitStack


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with started(*_objects()) as testbed, ExitStack() as stack:
        names = ("plain", "strong", "friend", "victim", "guest", "far")
        found = {name: pod_interface(testbed.pod_object(name), _model()) for name in names}
        yield Scene(testbed, {name: pod for name, pod in found.items() if pod is not None}, stack)


def said(process: Popen[str]) -> Any:
    out, err = process.communicate(timeout=COMMAND_TIMEOUT_S)
    assert process.returncode == 0, err
    return json.loads(out)


def test_only_who_may_change_interfaces_has_a_port_of_its_own(scene: Scene) -> None:
    assert {name for name, each in scene.pods.items() if each.of_port != OF_PORT_TRUNK} == {"strong"}


@pytest.mark.parametrize("attacker", ["plain", "strong"])
def test_forged_packets_arrive_nowhere_and_nothing_of_others_is_heard(scene: Scene, attacker: str) -> None:
    made, honest = scene.forgeries(attacker)
    catchers = {name: scene.run(name, CATCHER, PORT, LAST) for name in ("victim", "far", "friend")}
    forger = scene.run(attacker, FORGER, PORT, *(frame.hex() for frame in made.frames))
    reached = [str(scene.pods[name].addresses[0]) for name in ("victim", "far", "friend", attacker)]
    scene.testbed.exec("friend", "python3", "-c", SEND, str(LAST), str(PORT), *reached).output  # noqa: B018
    came = {name: set(said(process)) for name, process in catchers.items()}
    arrived = {name: [made.names[token] for token in tokens - {LAST} - honest] for name, tokens in came.items()}
    assert arrived == {"victim": [], "far": [], "friend": []}
    assert came["victim"] == came["far"] == {LAST}, "who may come did not"
    assert came["friend"] == {LAST, *honest}, "packets that are as they should be did not come"
    assert said(forger)["foreign"] == []


def test_the_guard_cannot_be_taken_away(scene: Scene) -> None:
    for command in ("ip link set eth0 address 0a:09:09:09:09:09", "ip link add link eth0 type macvlan",
                    "tc qdisc add dev eth0 clsact", "ip link set eth0 down"):  # fmt: skip
        done = scene.testbed.exec("plain", *command.split())
        assert done.status != 0 and "not permitted" in done.stderr, str(done)
        assert scene.testbed.exec("plain", "unshare", "-Ur", *command.split()).status != 0


def test_the_guard_cannot_be_gone_round(scene: Scene) -> None:
    script = "import socket; socket.socket(44, socket.SOCK_RAW)"
    done = scene.testbed.exec("plain", "python3", "-c", script)
    assert "Address family not supported" in done.stderr, str(done)
