"""What the kubelet's socket gives of a running testbed, and that nobody misses a kubelet that dies."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from manifests import cluster, netexec, pod, shell, tools
from testbeds import PATIENCE_S, Testbed, is_ready, started

from topo.waiting import wait_until

sys.path.append(str(Path(__file__).parents[1] / "unit"))
from kubelet_client import Kubelet

KUBELET = "topo.kubelet"
AGENT = "topo.agent"
COUNTS = "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.05; done"
LINGERS = "trap 'echo asked; sleep 0.5; echo done; exit 0' TERM; echo up; while :; do sleep 0.05; done"


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    hook = {"preStop": {"exec": {"command": ["sleep", "1"]}}}
    with started(
        cluster(),
        pod("counts", shell(COUNTS)),
        pod("lingers", shell(LINGERS, lifecycle=hook)),
        pod("stubborn", shell("trap '' TERM; echo up; while :; do sleep 0.05; done"), terminationGracePeriodSeconds=1),
        pod("shell", {**tools("sh"), "stdin": True, "tty": True}),
        pod("reads", shell("cat; exit 5", stdin=True, stdinOnce=True), restartPolicy="Never"),
        pod("web", netexec()),
    ) as running:
        yield running


@pytest.fixture
def kubelet(testbed: Testbed) -> Kubelet:
    return Kubelet(testbed.directory / "kubelet.sock")


def test_a_log_is_followed_across_the_death_of_the_agent(testbed: Testbed, kubelet: Kubelet) -> None:
    pieces = kubelet.pieces("/containerLogs/default/counts/tools?follow=true")
    seen = next(pieces)
    old = testbed.kill(AGENT)
    testbed.wait_for_restart(AGENT, old)
    at_restart = seen
    while seen.count(b"\n") < at_restart.count(b"\n") + 20:
        seen += next(pieces)
    numbers = [int(line.split()[1]) for line in seen.splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_dead_kubelet_ends_what_it_started_and_nothing_else(testbed: Testbed, kubelet: Kubelet) -> None:
    connection = kubelet.websocket("/exec/default/counts/tools?command=sleep&command=7777&stdout=1")
    wait_until(lambda: testbed.process_ids("^sleep 7777") != [], PATIENCE_S, "the command to run")
    old = testbed.kill(KUBELET)
    testbed.wait_for_restart(KUBELET, old)
    wait_until(lambda: testbed.process_ids("^sleep 7777") == [], PATIENCE_S, "the end of the command")
    connection.connection.close()

    def answers() -> bool:
        try:
            return kubelet.get("/containerLogs/default/web/web?tailLines=1")[0] in (200, 400)
        except ConnectionError:
            return False

    wait_until(answers, PATIENCE_S, "the new kubelet")
    for name in ("counts", "shell", "web"):
        assert testbed.container_status(name)["restartCount"] == 0
    assert kubelet.websocket("/exec/default/counts/tools?command=hostname&stdout=1").run().stdout == b"counts\n"


def test_attach_to_a_shell(kubelet: Kubelet) -> None:
    connection = kubelet.spdy("/attach/default/shell/tools?input=1&output=1&tty=1")
    _, stdin, stdout = (connection.open(streamtype=name) for name in ("error", "stdin", "stdout"))
    connection.open(streamtype="resize")
    connection.send(stdin, b"echo I am $(hostname)\n")
    connection.until(stdout, b"I am shell")
    connection.connection.close()


def test_input_that_is_given_once_ends_with_whoever_gave_it(testbed: Testbed, kubelet: Kubelet) -> None:
    ended = kubelet.spdy("/attach/default/reads/tools?input=1&output=1&error=1").run(b"some words\n")
    assert (ended.stdout, ended.status["status"]) == (b"some words\n", "Success")
    testbed.wait_for_pod("reads", lambda obj: obj["status"]["phase"] == "Failed", "Failed")
    assert testbed.container_status("reads")["state"]["terminated"]["exitCode"] == 5


def test_port_forward_reaches_the_pods_own_loopback(kubelet: Kubelet) -> None:
    connection = kubelet.spdy("/portForward/default/web")
    error, data = (connection.open(streamtype=name, port="8080", requestid="0") for name in ("error", "data"))
    connection.send(error, b"", fin=True)
    connection.send(data, b"GET /hostname HTTP/1.0\r\n\r\n", fin=True)
    assert connection.until_end(data).endswith(b"web")


def test_what_a_served_container_is_asked_is_in_its_log(testbed: Testbed, kubelet: Kubelet) -> None:
    address = testbed.pods()["web"].ips[0]
    testbed.exec("counts", "curl", "-sS", f"http://{address}:8080/hostname").output  # noqa: B018

    def logged() -> bool:
        log = kubelet.get("/containerLogs/default/web/web")[1]
        return b"Started HTTP server on port 8080" in log and b"GET /hostname" in log

    wait_until(logged, PATIENCE_S, "the request in the log")


def test_connect_dials_from_the_control_plane(testbed: Testbed, kubelet: Kubelet) -> None:
    address = testbed.pods()["web"].ips[0]
    connection, early = kubelet.switch("CONNECT", f"{address}:8080", {})
    with connection:
        connection.sendall(b"GET /hostname HTTP/1.0\r\n\r\n")
        answer = early
        while piece := connection.recv(4096):
            answer += piece
    assert answer.endswith(b"web")


def test_a_pod_ends_by_its_hook_then_sigterm(testbed: Testbed, kubelet: Kubelet) -> None:
    pieces = kubelet.pieces("/containerLogs/default/lingers/tools?follow=true")
    assert next(pieces) == b"up\n"
    began = time.monotonic()
    delete(testbed, "lingers")
    told = b"".join(pieces)
    took_s = time.monotonic() - began
    assert told.endswith(b"asked\ndone\n")
    assert 1.5 <= took_s < 20, took_s
    wait_until(lambda: "lingers" not in testbed.pods(), PATIENCE_S, "the end of the pod")


def test_a_pod_that_does_not_end_is_killed(testbed: Testbed) -> None:
    began = time.monotonic()
    delete(testbed, "stubborn")
    assert is_ready(testbed.pod_object("stubborn"))
    wait_until(lambda: "stubborn" not in testbed.pods(), PATIENCE_S, "the end of the pod")
    assert time.monotonic() - began >= 1


def test_a_pod_reaches_the_api_server_with_its_token(testbed: Testbed) -> None:
    ask = (
        "cd /var/run/secrets/kubernetes.io/serviceaccount && curl -sS --max-time 20 --cacert ca.crt"
        ' -H "Authorization: Bearer $(cat token)"'
        " https://kubernetes.default.svc:$KUBERNETES_SERVICE_PORT/api/v1/namespaces/$(cat namespace)/pods/counts"
    )
    told = json.loads(testbed.exec("counts", "sh", "-c", ask).output)
    assert (told["kind"], told["metadata"]["name"]) == ("Pod", "counts")


def delete(testbed: Testbed, name: str) -> None:
    """Begin to, as `kubectl delete --wait=false`."""
    testbed.mininetes("kubectl", "delete", "pod", name, "--wait=false").output  # noqa: B018
