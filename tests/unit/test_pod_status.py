"""A pod's status, as kubectl shows it."""

from __future__ import annotations

from typing import Any

from topo import pod_status
from topo.containers import PodLife


def made(**spec: Any) -> tuple[dict[str, Any], PodLife]:
    containers = [{"name": "web", "image": "nginx"}]
    pod = {
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "u-1"},
        "spec": {"nodeName": "worker", "containers": containers, **spec},
    }
    return pod, PodLife(pod)


def run(life: PodLife, now: float = 0) -> None:
    life.starting("web", now)
    life.began("web", now)


def state(pod: dict[str, Any], life: PodLife) -> dict[str, Any]:
    told: dict[str, Any] = pod_status.status(life, pod, 100)["containerStatuses"][0]
    return told


def test_before_it_starts() -> None:
    pod, life = made()
    status = pod_status.status(life, pod, 100, attached=False)
    assert status["phase"] == "Pending"
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert "containerID" not in status["containerStatuses"][0]
    held = {condition["type"]: condition["status"] for condition in status["conditions"]}
    assert held == {
        "PodReadyToStartContainers": "False", "Initialized": "True", "Ready": "False", "ContainersReady": "False"
    }  # fmt: skip


def test_with_init_containers_everything_waits_for_them() -> None:
    pod, life = made(initContainers=[{"name": "init", "image": "busybox"}])
    assert state(pod, life)["state"] == {"waiting": {"reason": "PodInitializing"}}


def test_running() -> None:
    pod, life = made()
    run(life, 50)
    told = state(pod, life)
    assert told["state"] == {"running": {"startedAt": "1970-01-01T00:00:50Z"}}
    assert (told["ready"], told["started"], told["restartCount"], told["lastState"]) == (True, True, 0, {})
    assert told["containerID"].startswith("mininetes://")


def test_conditions_of_others_stay_and_times_do_not_move() -> None:
    pod, life = made()
    run(life)
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "1970-01-01T00:00:01Z"}
    pod["status"] = {"conditions": [scheduled]}
    first = pod_status.status(life, pod, 100)
    assert first["conditions"][-1] == scheduled
    pod["status"] = first
    assert pod_status.status(life, pod, 200) == first


def test_the_first_restart_is_no_back_off() -> None:
    pod, life = made()
    run(life)
    life.ended("web", 1, 10)
    assert state(pod, life)["state"]["terminated"]["exitCode"] == 1


def test_a_container_in_back_off_waits_and_shows_how_it_ended() -> None:
    pod, life = made()
    run(life)
    life.ended("web", 1, 10)
    run(life, 10)
    life.ended("web", 3, 20)
    told = state(pod, life)
    message = "back-off 10s restarting failed container=web pod=web-1_shop(u-1)"
    assert told["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
    assert told["lastState"]["terminated"]["exitCode"] == 3
    assert told["restartCount"] == 1
    assert pod_status.phase(life) == "Running"


def test_a_long_back_off_is_shown_in_minutes() -> None:
    pod, life = made()
    run(life)
    for at in range(1, 6):
        life.ended("web", 1, at)
        run(life, at)
    message = pod_status.back_off_message(life.containers["web"], pod)
    assert message.startswith("back-off 2m40s restarting")


def test_each_run_has_an_id_of_its_own() -> None:
    pod, life = made()
    run(life)
    first = state(pod, life)["containerID"]
    life.ended("web", 1, 10)
    run(life, 10)
    told = state(pod, life)
    assert told["lastState"]["terminated"]["containerID"] == first != told["containerID"]


def test_a_pod_past_its_deadline_has_failed_and_says_why() -> None:
    pod, life = made(activeDeadlineSeconds=5)
    life.activate(0)
    run(life)
    life.advance(5)
    status = pod_status.status(life, pod, 6)
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")


def test_a_deleted_pod_that_ended_well_has_succeeded() -> None:
    _, life = made()
    run(life)
    life.stop(10, deleted=True)
    life.ended("web", 0, 11)
    assert pod_status.phase(life) == "Succeeded"
    life.containers["web"].exit_code = 143
    assert pod_status.phase(life) == "Failed"
