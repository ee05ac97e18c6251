"""A pod's status, from the life of its containers (API reference, PodStatus). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from topo.containers import Container, PodLife

_CONDITIONS = ("Initialized", "ContainersReady", "Ready")


def status(life: PodLife, pod: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The parts of the status that the node agent owns: phase, conditions, containers' states."""
    previous = pod.get("status") or {}
    ready = phase(life) == "Running" and all(container.ready for container in life.app_containers)
    held = {"Initialized": life.initialized, "ContainersReady": ready, "Ready": ready}
    result = {
        "phase": phase(life),
        "conditions": _conditions(previous.get("conditions") or (), held, life, now),
        "containerStatuses": [_container_status(container) for container in life.app_containers],
        "startTime": previous.get("startTime") or timestamp(now),
    }
    if life.init_containers:
        result["initContainerStatuses"] = [_container_status(container) for container in life.init_containers]
    return result


def phase(life: PodLife) -> str:
    """Pending, Running, Succeeded or Failed, as Kubernetes defines them (Pod Lifecycle, Pod phase)."""
    apps = life.app_containers
    if life.failed:
        return "Failed"
    if any(container.phase in ("waiting", "starting") and container.run == 0 for container in apps):
        return "Pending"
    if all(container.phase == "terminated" for container in apps) and life.policy != "Always":
        if all(container.exit_code == 0 for container in apps):
            return "Succeeded"
        if life.policy == "Never" or life.stopping:
            return "Failed"
    return "Running"


def _conditions(
    previous: Iterable[Mapping[str, Any]], held: Mapping[str, bool], life: PodLife, now: float
) -> list[dict[str, Any]]:
    """Conditions of other components as they are; ours with the time of their last change."""
    before = {condition["type"]: condition for condition in previous}
    result = [dict(condition) for kind, condition in before.items() if kind not in held]
    for kind in _CONDITIONS:
        value = "True" if held[kind] else "False"
        old = before.get(kind, {})
        changed = timestamp(now) if old.get("status") != value else old.get("lastTransitionTime", timestamp(now))
        condition = {"type": kind, "status": value, "lastTransitionTime": changed}
        if not held[kind]:
            condition |= _why_not(kind, life)
        result.append(condition)
    return result


def _why_not(kind: str, life: PodLife) -> dict[str, str]:
    if phase(life) == "Succeeded":
        return {"reason": "PodCompleted"}
    containers = life.init_containers if kind == "Initialized" else life.app_containers
    lacking = [c.name for c in containers if not (c.done if kind == "Initialized" else c.ready)]
    reason = "ContainersNotInitialized" if kind == "Initialized" else "ContainersNotReady"
    what = "incomplete" if kind == "Initialized" else "unready"
    return {"reason": reason, "message": f"containers with {what} status: [{' '.join(lacking)}]"}


def _container_status(container: Container) -> dict[str, Any]:
    result: dict[str, Any] = {
        "name": container.name,
        "image": container.spec.get("image", ""),
        "imageID": container.spec.get("image", ""),
        "restartCount": container.run,
        "started": container.started,
        "ready": container.ready or (container.init and container.done),
        "state": _state(container),
        "lastState": {},
    }
    if container.last_exit is not None:
        code, started, finished = container.last_exit
        result["lastState"] = {"terminated": _terminated(code, started, finished)}
    return result


def _state(container: Container) -> dict[str, Any]:
    if container.phase == "running":
        return {"running": {"startedAt": timestamp(container.started_at)}}
    if container.phase == "terminated":
        terminated = _terminated(container.exit_code, container.started_at, container.finished_at)
        return {"terminated": terminated | ({"message": container.message} if container.message else {})}
    return {"waiting": {"reason": container.reason or "ContainerCreating"}}


def _terminated(code: int, started: float, finished: float) -> dict[str, Any]:
    reason = "Completed" if code == 0 else "Error"
    return {"exitCode": code, "reason": reason, "startedAt": timestamp(started), "finishedAt": timestamp(finished)}


def timestamp(seconds: float) -> str:
    """Epoch seconds as the API writes times."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
