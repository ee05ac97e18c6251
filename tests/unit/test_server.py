"""The API server as a process: its requests, its death and its return."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
import samples
from servers import TIMEOUT_S, ServerProcess, serving

from cluster.client import ApiError, Client, NotInSyncError
from cluster.objects import Object, name, subject
from cluster.problems import SpecError


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with serving(tmp_path) as process:
        process.empty()
        yield process


@pytest.fixture
def client(server: ServerProcess) -> Client:
    return server.client()


def names(client: Client, kind: str) -> Sequence[str]:
    return [name(obj) for obj in client.objects([kind])[1]]


def report_all(client: Client, status: Object | None = None) -> int:
    """What an agent does: say that every pod runs, and that all is realised."""
    revision, pods = client.objects(["Pod"])
    reports = [samples.status_of(pod, status) if status else samples.running(pod) for pod in pods]
    client.post_statuses(reports)
    for component in ("agent", "controller"):
        client.observed(component, client.objects(["Pod"])[0])
    return revision


def request(server: ServerProcess, method: str, target: str, body: str | None = None) -> HTTPResponse:
    """A raw request; the connection stays open as long as its answer."""
    server.client().objects(["Node"])  # waits until there is a server
    connection = HTTPConnection("localhost", timeout=TIMEOUT_S)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(server.socket))
    connection.request(method, target, body)
    return connection.getresponse()


def next_batch(response: HTTPResponse) -> list[Any]:
    lines: list[Any] = []
    while not lines or lines[-1]["type"] != "BOOKMARK":
        lines.append(json.loads(response.readline()))
    return lines


def test_the_seed_is_there_before_the_first_answer(tmp_path: Path) -> None:
    with serving(tmp_path, [samples.workload("Deployment", "web", replicas=2)]) as server:
        client = server.client()
        assert names(client, "Node") == ["control-plane", "worker", "worker2"]
        workloads = [pod.rpartition("-")[0].rpartition("-")[0] for pod in names(client, "Pod")]
        assert workloads == ["coredns", "coredns", "web", "web"]
        assert names(client, "Namespace") == ["default", "kube-node-lease", "kube-public", "kube-system"]


def test_apply_answers_with_everything_the_loops_made(client: Client) -> None:
    revision = client.apply([samples.workload("Deployment", "web", replicas=2), samples.service("web")])
    at, objects = client.objects(["Pod", "Service", "EndpointSlice"])
    assert at == revision
    made = [obj["kind"] for obj in objects if name(obj) != "kubernetes"]
    assert made == ["Pod", "Pod", "Service", "EndpointSlice"]
    assert all(obj["status"]["podIP"] for obj in objects[:2])


def test_applying_again_changes_nothing(client: Client) -> None:
    spec = [samples.workload("StatefulSet", "web"), samples.service("web"), samples.pod("a")]
    assert client.apply(spec) == client.apply(spec)


def test_delete_removes_what_was_owned(server: ServerProcess, client: Client) -> None:
    client.apply([samples.workload("Deployment", "web")])
    client.delete("Deployment", "default", "web")
    assert client.objects(["Deployment", "ReplicaSet"])[1] == []
    assert ["deletionTimestamp" in pod["metadata"] for pod in client.objects(["Pod"])[1]] == [True]
    server.end_terminating()
    assert client.objects(["Pod"])[1] == []
    with pytest.raises(ApiError, match="there is no Deployment default/web"):
        client.delete("Deployment", "default", "web")


def test_a_refused_apply_names_every_problem_and_changes_nothing(client: Client) -> None:
    before, _ = client.objects()
    outside = (samples.service("a", clusterIP="10.0.0.1"), samples.service("b", clusterIP="10.0.0.2"))
    wrong = [samples.pod("fine"), *outside]
    with pytest.raises(SpecError) as refused:
        client.apply(wrong)
    assert [problem.subject for problem in refused.value.problems] == ["Service default/a", "Service default/b"]
    assert client.objects(["Pod"]) == (before, [])


def test_manifests_are_validated(client: Client) -> None:
    with pytest.raises(SpecError, match=r"Pod default/a: spec\.containerz"):
        client.apply([samples.pod("a", containerz=[])])


def test_the_cluster_cannot_change(client: Client) -> None:
    with pytest.raises(SpecError, match="cannot change"):
        client.apply([{"kind": "Cluster", "metadata": {"name": "mininetes"}}])


def test_a_watch_tells_what_is_and_then_what_changes(server: ServerProcess, client: Client) -> None:
    client.apply([samples.pod("a")])
    response = request(server, "GET", "/mininetes/v1/watch?kinds=Pod,Service")
    first = next_batch(response)
    assert [(line["type"], subject(line.get("object", {}))) for line in first[:-1]] == [
        ("ADDED", "Pod default/a"),
        ("ADDED", "Service default/kubernetes"),
    ]
    revision = client.apply([samples.service("web"), samples.pod("a", {"x": "y"})])
    changed = next_batch(response)
    assert [(line["type"], subject(line["object"])) for line in changed[:-1]] == [
        ("ADDED", "Service default/web"),
        ("MODIFIED", "Pod default/a"),
    ]
    assert changed[-1] == {"type": "BOOKMARK", "revision": revision}
    client.delete("Service", "default", "web")
    assert next_batch(response)[0]["type"] == "DELETED"


def test_a_bookmark_tells_of_desired_state_that_is_not_watched(server: ServerProcess, client: Client) -> None:
    response = request(server, "GET", "/mininetes/v1/watch?kinds=NetworkPolicy")
    next_batch(response)
    revision = client.apply([samples.pod("a")])
    report_all(client)
    revision_of_pod_b = client.apply([samples.pod("b")])
    bookmarks = [next_batch(response)]
    while bookmarks[-1][0]["revision"] < revision_of_pod_b:
        bookmarks.append(next_batch(response))
    assert [[line["type"] for line in batch] for batch in bookmarks] == [["BOOKMARK"]] * len(bookmarks)
    assert len(bookmarks) <= 2, "a status alone must not wake who does not watch it"
    assert revision < revision_of_pod_b


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("GET", "/mininetes/v1/watch?kinds=Pod&revision=99999", None, 410),
        ("GET", "/mininetes/v1/watch", None, 400),
        ("GET", "/mininetes/v1/watch?kinds=Pod&revision=x", None, 400),
        ("GET", "/mininetes/v1/sync?timeout_s=x", None, 400),
        ("POST", "/mininetes/v1/apply", "{", 400),
        ("POST", "/mininetes/v1/apply", "[]", 400),
        ("POST", "/mininetes/v1/apply", '{"objects": ["pod"]}', 400),
        ("POST", "/mininetes/v1/apply", '{"objects": [{"kind": "Pod"}]}', 422),
        ("POST", "/mininetes/v1/observed", '{"component": "agent"}', 400),
        ("DELETE", "/mininetes/v1/objects?kind=Pod", None, 400),
        ("GET", "/mininetes/v1/nothing", None, 404),
    ],
)
def test_wrong_requests_are_refused(
    server: ServerProcess, method: str, target: str, body: str | None, status: int
) -> None:
    assert request(server, method, target, body).status == status


def test_sync_needs_every_component_and_every_pod(client: Client) -> None:
    client.apply([samples.pod("a"), samples.pod("b", nodeSelector={"disk": "ssd"})])
    with pytest.raises(NotInSyncError) as failed:
        client.sync(0)
    reasons = {missing.subject: missing.reason for missing in failed.value.missing}
    assert reasons["agent"] == reasons["controller"] == "has not reported yet"
    assert reasons["Pod default/a"] == "Pending, not Ready"
    assert reasons["Pod default/b"].startswith("0/3 nodes are available: ")


def test_sync_names_the_reason_of_a_failing_container(client: Client) -> None:
    client.apply([samples.pod("a")])
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "exited with status 1"}}
    report_all(client, {"phase": "Running", "containerStatuses": [{"name": "main", "state": waiting}]})
    with pytest.raises(NotInSyncError, match="Pod default/a: container main: CrashLoopBackOff: exited with status 1"):
        client.sync(0)


def test_sync_answers_as_soon_as_all_is_realised(client: Client) -> None:
    client.apply([samples.pod("a")])
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(client.sync, TIMEOUT_S)
        report_all(client)
        answer = waiting.result(TIMEOUT_S)
    assert set(answer["observed"]) == {"agent", "controller"}


def test_sync_waits_for_the_endpoints_of_the_last_ready_pod(client: Client) -> None:
    client.apply([samples.pod("web", {"app": "web"}), samples.service("web")])
    revision, pods = client.objects(["Pod"])
    for component in ("agent", "controller"):
        client.observed(component, revision)
    changed = client.post_statuses([samples.running(pods[0])])
    with pytest.raises(NotInSyncError, match=f"controller: has realised revision {revision} of {changed}"):
        client.sync(0)
    for component in ("agent", "controller"):
        client.observed(component, changed)
    client.sync(0)


def test_statuses_do_not_move_the_goal_of_sync(client: Client) -> None:
    client.apply([samples.pod("a")])
    report_all(client)
    _, pods = client.objects(["Pod"])
    status = {**samples.running(pods[0])["status"], "containerStatuses": []}
    assert client.post_statuses([samples.status_of(pods[0], status)]) > int(pods[0]["metadata"]["resourceVersion"])
    client.sync(0)


def test_a_succeeded_pod_is_settled_and_a_failed_one_is_not(client: Client) -> None:
    client.apply([samples.pod("a", restartPolicy="Never")])
    report_all(client, {"phase": "Succeeded"})
    client.sync(0)
    report_all(client, {"phase": "Failed"})
    with pytest.raises(NotInSyncError, match="Pod default/a: Failed"):
        client.sync(0)


def test_what_was_acknowledged_survives_kill_9(server: ServerProcess, client: Client) -> None:
    acknowledged = [client.apply([samples.pod(f"pod-{number}")]) for number in range(50)]
    before = client.objects()
    server.restart()
    after = client.objects()
    assert acknowledged[-1] == after[0]
    # Kinds come in the order in which the store learnt of them.
    assert sorted(map(json.dumps, after[1])) == sorted(map(json.dumps, before[1]))


def test_addresses_are_not_given_twice_after_a_restart(server: ServerProcess, client: Client) -> None:
    client.apply([samples.pod("a", nodeName="worker")])
    server.restart()
    client.apply([samples.pod("b", nodeName="worker")])
    assert len({pod["status"]["podIP"] for pod in client.objects(["Pod"])[1]}) == 2


def test_the_socket_is_its_owners_only(server: ServerProcess, client: Client) -> None:
    client.objects(["Node"])
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o600


def test_sigterm_ends_it_with_a_watch_open(server: ServerProcess) -> None:
    response = request(server, "GET", "/mininetes/v1/watch?kinds=Node")
    next_batch(response)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(TIMEOUT_S) == 0
    assert response.readline() == b"", "the stream was cut, not ended"
    assert server.process.stderr is not None
    assert server.process.stderr.read() == ""


def test_the_socket_can_be_handed_in(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "api.sock"))
        listener.listen()
        server = ServerProcess(tmp_path, fd=listener.fileno())
        try:
            assert "worker" in names(server.client(), "Node")
            server.restart()
            assert "worker" in names(server.client(), "Node")
        finally:
            server.kill()


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (
            {"cluster": samples.cluster_document(), "objects": [samples.service("a", clusterIP="10.0.0.1")]},
            "Service default/a: spec.clusterIP: found 10.0.0.1",
        ),
        (None, "the store is empty"),
    ],
)
def test_a_wrong_seed_is_told(tmp_path: Path, seed: Object | None, message: str) -> None:
    file = tmp_path / "seed.json"
    file.write_text(json.dumps(seed))
    options = ["--seed", str(file)] if seed else []
    environment = {**os.environ, "MININETES_RUN": str(tmp_path)}
    command = [sys.executable, "-m", "cluster.server", *options]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert message in ended.stderr
    assert ended.returncode == (2 if seed else 1)


def test_a_server_without_keys_does_not_go_on(tmp_path: Path) -> None:
    (tmp_path / "pki").write_text("a file where a directory should be")
    file = tmp_path / "seed.json"
    file.write_text(json.dumps({"cluster": samples.cluster_document(), "objects": []}))
    environment = {**os.environ, "MININETES_RUN": str(tmp_path)}
    command = [sys.executable, "-m", "cluster.server", "--seed", str(file)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert ended.returncode == 1
    assert "Not a directory" in ended.stderr
