"""Containers live as the kubelet lets them: exit, restart, probes, init containers, logs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from manifests import AGNHOST, Object, cluster, every_second, exec_probe, pod, shell, tools
from testbeds import Testbed, is_ready, started

WAITS = "until [ -e /tmp/go ]; do sleep 0.05; done; "
SERVES = "exec python3 -m http.server 8000 --bind ::"


def gated(name: str, probe: Object) -> Object:
    """A pod whose server starts when somebody makes /tmp/go."""
    return pod(name, shell(WAITS + SERVES, readinessProbe=every_second(probe)))


ENDING = [
    pod("succeeds", shell("echo fine; exit 0"), restartPolicy="Never"),
    pod("fails", shell("echo oh no >&2; exit 7"), restartPolicy="Never"),
    pod("killed", tools("python3", "-c", "import os; os.kill(os.getpid(), 9)"), restartPolicy="Never"),
    pod("missing", tools("no-such-program"), restartPolicy="Never"),
    pod("second-time", shell("[ -e /tmp/been ] || { touch /tmp/been; exit 1; }"), restartPolicy="OnFailure"),
    pod("crashes", shell("echo once more; exit 3")),
    pod(
        "ordered",
        shell("cat /tmp/order; sleep infinity"),
        initContainers=[shell(f"sleep 0.2; echo {word} >> /tmp/order", name=word) for word in ("one", "two", "three")],
    ),
    pod(
        "init-fails",
        shell("echo must not run"),
        initContainers=[shell("exit 5", name="init")],
        restartPolicy="Never",
    ),
    pod("exec-gate", shell("sleep infinity", readinessProbe=exec_probe("test", "-e", "/tmp/go"))),
    gated("http-gate", {"httpGet": {"port": 8000, "path": "/"}}),
    gated("tcp-gate", {"tcpSocket": {"port": 8000}}),
    pod(
        "not-found",
        shell(SERVES, readinessProbe=every_second({"httpGet": {"port": 8000, "path": "/no/such/path"}})),
    ),
    pod("not-grpc", shell(SERVES, readinessProbe=every_second({"grpc": {"port": 8000}}))),
    pod(
        "grpc",
        {
            "name": "server",
            "image": AGNHOST,
            "args": ["grpc-health-checking"],
            "readinessProbe": every_second({"grpc": {"port": 5000}}),
        },
    ),
    pod(
        "dies",
        shell("touch /tmp/alive; exec sleep infinity", livenessProbe=exec_probe("test", "-e", "/tmp/alive")),
    ),
    pod(
        "slow",
        shell(
            WAITS + "exec sleep infinity",
            startupProbe={**exec_probe("test", "-e", "/tmp/go"), "failureThreshold": 600},
            livenessProbe=exec_probe("test", "-e", "/tmp/go"),
        ),
    ),
    pod("environment", shell('echo "$GREETING from $WHERE"; sleep infinity', env=[
        {"name": "GREETING", "value": "hello"},
        {"name": "WHERE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
    ]), nodeName="worker"),
]  # fmt: skip


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """All these pods at once. Some never get ready, so `up` says no."""
    with started(cluster(), *ENDING, expect=1, timeout_s=3) as running:
        yield running


def phase(name: str) -> object:
    return lambda pod: pod["status"].get("phase") == name


def exit_code(testbed: Testbed, name: str) -> object:
    state = testbed.container_status(name)["state"]
    return state.get("terminated", {}).get("exitCode")


@pytest.mark.parametrize("name", ["succeeds", "second-time"])
def test_a_pod_whose_containers_ended_well_has_succeeded(testbed: Testbed, name: str) -> None:
    testbed.wait_for_pod(name, phase("Succeeded"), "Succeeded")


@pytest.mark.parametrize(("name", "code"), [("fails", 7), ("killed", 137), ("missing", 127)])
def test_a_pod_that_never_restarts_fails_with_its_containers_exit_status(
    testbed: Testbed, name: str, code: int
) -> None:
    testbed.wait_for_pod(name, phase("Failed"), "Failed")
    assert exit_code(testbed, name) == code


def test_on_failure_starts_again_until_it_succeeds(testbed: Testbed) -> None:
    testbed.wait_for_pod("second-time", phase("Succeeded"), "Succeeded")
    assert testbed.container_status("second-time")["restartCount"] == 1


def test_a_program_that_is_not_there_is_named_in_the_log(testbed: Testbed) -> None:
    testbed.wait_for_pod("missing", phase("Failed"), "Failed")
    assert "no-such-program" in testbed.log("missing")


@pytest.mark.parametrize(("name", "text"), [("succeeds", "fine\n"), ("fails", "oh no\n")])
def test_logs_hold_what_a_container_wrote(testbed: Testbed, name: str, text: str) -> None:
    assert testbed.log(name) == text


def test_a_container_that_ends_is_started_again_with_a_back_off(testbed: Testbed) -> None:
    # The first restart is immediate, the next one 10 s later (kubernetes.io, Pod Lifecycle).
    testbed.wait_for_pod("crashes", lambda pod: restarts(pod) >= 2, "restarted twice")
    testbed.wait_for_pod("crashes", lambda pod: "terminated" in last_state(pod), "its last exit")
    last = last_state(testbed.pod_object("crashes"))["terminated"]
    assert last["exitCode"] == 3
    assert restarts(testbed.pod_object("crashes")) == 2


def restarts(pod: Object) -> int:
    return max((status["restartCount"] for status in pod["status"].get("containerStatuses", ())), default=0)


def last_state(pod: Object) -> Object:
    state: Object = pod["status"]["containerStatuses"][0]["lastState"]
    return state


def test_each_run_has_a_log_of_its_own(testbed: Testbed) -> None:
    testbed.wait_for_pod("crashes", lambda pod: restarts(pod) >= 1, "restarted")
    assert [testbed.log("crashes", run=run) for run in (0, 1)] == ["once more\n", "once more\n"]


@pytest.mark.parametrize(("name", "reason"), [("crashes", "3"), ("fails", "7"), ("init-fails", "5")])
def test_up_says_which_pod_ends_and_why(testbed: Testbed, name: str, reason: str) -> None:
    told = [line for line in testbed.started.stderr.splitlines() if f"Pod default/{name}:" in line]
    assert len(told) == 1, str(testbed.started)
    assert f"exited with status {reason}" in told[0] or "CrashLoopBackOff" in told[0], told


def test_up_names_no_pod_that_is_settled(testbed: Testbed) -> None:
    told = [line for line in testbed.started.stderr.splitlines() if line.startswith("  Pod ")]
    settled = ("succeeds", "second-time", "ordered", "environment")
    assert not [line for line in told if any(f"/{name}:" in line for name in settled)], told


def test_init_containers_run_one_after_the_other(testbed: Testbed) -> None:
    testbed.wait_for_pod("ordered", is_ready, "Ready")
    assert testbed.log("ordered") == "one\ntwo\nthree\n"


def test_a_failed_init_container_fails_its_pod(testbed: Testbed) -> None:
    testbed.wait_for_pod("init-fails", phase("Failed"), "Failed")
    assert testbed.log("init-fails") == ""


@pytest.mark.parametrize("name", ["exec-gate", "http-gate", "tcp-gate"])
def test_a_pod_is_ready_when_its_probe_succeeds_and_not_before(testbed: Testbed, name: str) -> None:
    testbed.wait_for_pod(name, phase("Running"), "Running")
    assert not is_ready(testbed.pod_object(name))
    testbed.exec(name, "touch", "/tmp/go").output  # noqa: B018
    testbed.wait_for_pod(name, is_ready, "Ready")
    assert restarts(testbed.pod_object(name)) == 0


def test_a_pod_is_unready_again_when_its_probe_fails(testbed: Testbed) -> None:
    testbed.exec("exec-gate", "touch", "/tmp/go").output  # noqa: B018
    testbed.wait_for_pod("exec-gate", is_ready, "Ready")
    testbed.exec("exec-gate", "rm", "/tmp/go").output  # noqa: B018
    testbed.wait_for_pod("exec-gate", lambda pod: not is_ready(pod), "not Ready")
    assert restarts(testbed.pod_object("exec-gate")) == 0


def test_a_grpc_health_service_makes_a_pod_ready(testbed: Testbed) -> None:
    testbed.wait_for_pod("grpc", is_ready, "Ready")


@pytest.mark.parametrize("name", ["not-found", "not-grpc"])
def test_a_pod_whose_probe_fails_is_not_ready(testbed: Testbed, name: str) -> None:
    assert f"Pod default/{name}:" in testbed.started.stderr
    assert not is_ready(testbed.pod_object(name))


def test_a_failing_liveness_probe_restarts_the_container(testbed: Testbed) -> None:
    testbed.wait_for_pod("dies", is_ready, "Ready")
    testbed.exec("dies", "rm", "/tmp/alive").output  # noqa: B018
    testbed.wait_for_pod("dies", lambda pod: restarts(pod) >= 1 and is_ready(pod), "restarted and Ready")


def test_a_startup_probe_holds_back_the_liveness_probe(testbed: Testbed) -> None:
    assert not is_ready(testbed.pod_object("slow"))
    testbed.exec("slow", "touch", "/tmp/go").output  # noqa: B018
    testbed.wait_for_pod("slow", is_ready, "Ready")
    assert restarts(testbed.pod_object("slow")) == 0


def test_a_container_has_its_environment(testbed: Testbed) -> None:
    testbed.wait_for_pod("environment", is_ready, "Ready")
    assert testbed.log("environment") == "hello from worker\n"


def test_exec_has_its_containers_environment(testbed: Testbed) -> None:
    assert testbed.exec("environment", "printenv", "GREETING").output == "hello"
