"""A pod's status, from the life of its containers (API reference, PodStatus). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from cluster.times import timestamp
from topo.container import Container, Run
from topo.containers import PodLife

_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
BACK_OFF = "CrashLoopBackOff"


def status(life: PodLife, pod: Mapping[str, Any], now: float, attached: bool = True) -> dict[str, Any]:
    """The parts of the status that the node agent owns: phase, conditions, containers' states. `attached`: the pod has
    its network."""
    previous = pod.get("status") or {}
    ready = phase(life) == "Running" and all(container.ready for container in life.app_containers)
    held = {
        "PodReadyToStartContainers": attached, "Initialized": life.initialized, "Ready": ready, "ContainersReady": ready
    }  # fmt: skip
    result = {
        "phase": phase(life),
        "conditions": _conditions(previous.get("conditions") or (), held, life, now),
        "containerStatuses": [_container_status(container, life, pod) for container in life.app_containers],
        "startTime": previous.get("startTime") or timestamp(now),
    }
    if life.init_containers:
        result["initContainerStatuses"] = [_container_status(each, life, pod) for each in life.init_containers]
    if life.failure is not None:
        result["reason"], result["message"] = life.failure
    return result


def phase(life: PodLife) -> str:
    """Pending, Running, Succeeded or Failed, as Kubernetes defines them (Pod Lifecycle, Pod phase)."""
    apps = life.app_containers
    if life.failed:
        return "Failed"
    if any(container.phase in ("waiting", "starting") and container.run == 0 for container in apps):
        return "Pending"
    if all(container.phase == "terminated" for container in apps) and (life.policy != "Always" or life.stopping):
        if all(container.exit_code == 0 for container in apps):
            return "Succeeded"
        if life.policy == "Never" or life.stopping:
            return "Failed"
    return "Running"


def back_off_message(container: Container, pod: Mapping[str, Any]) -> str:
    """Of a container that waits to be started again, in the kubelet's words."""
    delay = container.back_off.delay_s
    shown = f"{delay:.0f}s" if delay < 60 else f"{int(delay // 60)}m{int(delay % 60)}s"
    return f"back-off {shown} restarting failed container={container.name} pod={full_name(pod)}"


def full_name(pod: Mapping[str, Any]) -> str:
    """How the kubelet's messages call a pod."""
    metadata = pod["metadata"]
    return f"{metadata['name']}_{metadata.get('namespace', 'default')}({metadata['uid']})"


def waits_in_back_off(container: Container, life: PodLife) -> bool:
    return container.phase == "terminated" and container.back_off.delay_s > 0 and life.restarts(container)


def _conditions(
    previous: Iterable[Mapping[str, Any]], held: Mapping[str, bool], life: PodLife, now: float
) -> list[dict[str, Any]]:
    """Ours with the time of their last change; then conditions of other components as they are."""
    before = {condition["type"]: condition for condition in previous}
    result = []
    for kind in _CONDITIONS:
        value = "True" if held[kind] else "False"
        old = before.get(kind, {})
        changed = timestamp(now) if old.get("status") != value else old.get("lastTransitionTime", timestamp(now))
        condition = {"type": kind, "status": value, "lastProbeTime": None, "lastTransitionTime": changed}
        if not held[kind] and kind != "PodReadyToStartContainers":
            condition |= _why_not(kind, life)
        result.append(condition)
    return result + [dict(condition) for kind, condition in before.items() if kind not in held]


def _why_not(kind: str, life: PodLife) -> dict[str, str]:
    if phase(life) == "Succeeded":
        return {"reason": "PodCompleted"}
    if phase(life) == "Failed":
        return {"reason": "PodFailed"}
    containers = life.init_containers if kind == "Initialized" else life.app_containers
    lacking = [c.name for c in containers if not (c.done if kind == "Initialized" else c.ready)]
    reason = "ContainersNotInitialized" if kind == "Initialized" else "ContainersNotReady"
    what = "incomplete" if kind == "Initialized" else "unready"
    return {"reason": reason, "message": f"containers with {what} status: [{' '.join(lacking)}]"}


def _container_status(container: Container, life: PodLife, pod: Mapping[str, Any]) -> dict[str, Any]:
    uid = str(pod["metadata"]["uid"])
    image = container.spec.get("image", "")
    result: dict[str, Any] = {
        "name": container.name,
        "image": image,
        "imageID": image,
        "restartCount": container.run,
        "started": container.started,
        "ready": container.ready or (container.init and container.done),
        "state": _state(container, life, pod),
        "lastState": {},
    }
    if container.phase == "running" or container.phase == "terminated" or container.last_run is not None:
        # While it starts, the last one that was there.
        number = container.run if container.phase != "starting" else container.run - 1
        result["containerID"] = container_id(uid, container.name, number)
    if waits_in_back_off(container, life):
        result["lastState"] = {"terminated": _terminated(_current(container), uid, container.name)}
    elif container.last_run is not None:
        result["lastState"] = {"terminated": _terminated(container.last_run, uid, container.name)}
    return result


def _state(container: Container, life: PodLife, pod: Mapping[str, Any]) -> dict[str, Any]:
    if container.phase == "running":
        return {"running": {"startedAt": timestamp(container.started_at)}}
    if waits_in_back_off(container, life):
        return {"waiting": {"reason": BACK_OFF, "message": back_off_message(container, pod)}}
    if container.phase == "terminated":
        return {"terminated": _terminated(_current(container), str(pod["metadata"]["uid"]), container.name)}
    waiting = {"reason": container.reason or "ContainerCreating"}
    return {"waiting": waiting | ({"message": container.message} if container.message else {})}


def _current(container: Container) -> Run:
    return Run(
        container.run, container.exit_code, container.started_at, container.finished_at, container.message
    )


def _terminated(run: Run, uid: str, name: str) -> dict[str, Any]:
    return {
        "exitCode": run.exit_code,
        "reason": "Completed" if run.exit_code == 0 else "Error",
        **({"message": run.message} if run.message else {}),
        "startedAt": timestamp(run.started_at),
        "finishedAt": timestamp(run.finished_at),
        "containerID": container_id(uid, name, run.number),
    }


def container_id(uid: str, name: str, run: int) -> str:
    """One for every run, in the form of a container runtime's."""
    return "mininetes://" + hashlib.sha256(f"{uid}/{name}/{run}".encode()).hexdigest()
