"""The columns of pods: one word for what a pod is doing, out of the states of all its containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.apiserver.tables.columns import AGE, NAME, WIDE, Column, at, column
from cluster.apiserver.tables.text import NONE, duration, seconds

Status = Mapping[str, Any]
_TERMINAL = ("Failed", "Succeeded")


@dataclass(frozen=True, slots=True)
class Summary:
    """What a pod's line says. `last_restart` is a timestamp, "" when there was none."""

    reason: str
    ready: int
    total: int
    restarts: int
    last_restart: str


def summary(pod: Mapping[str, Any]) -> Summary:
    spec, status = pod["spec"], pod.get("status") or {}
    sidecars = {each["name"] for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"}
    init_statuses: Sequence[Status] = status.get("initContainerStatuses") or ()
    statuses: Sequence[Status] = status.get("containerStatuses") or ()
    reason = _init_reason(init_statuses, sidecars, len(spec.get("initContainers") or ()))
    ready = sum(each["name"] in sidecars and _started(each) and bool(each.get("ready")) for each in init_statuses)
    counted = list(init_statuses)
    if reason is None or _condition(status, "Initialized"):
        counted = [each for each in init_statuses if each["name"] in sidecars] + list(statuses)
        reason = _main_reason(status, reason or _first_reason(status), statuses)
        ready += sum(_runs(each) for each in statuses)
    return Summary(
        _deleted_reason(pod, reason), ready, len(spec.get("containers") or ()) + len(sidecars),
        sum(each.get("restartCount", 0) for each in counted), max(map(_last_end, counted), default=""),
    )  # fmt: skip


def _first_reason(status: Status) -> str:
    gated = any(
        each["type"] == "PodScheduled" and each.get("reason") == "SchedulingGated"
        for each in status.get("conditions") or ()
    )
    return "SchedulingGated" if gated else status.get("reason") or status.get("phase") or ""


def _init_reason(statuses: Sequence[Status], sidecars: set[str], total: int) -> str | None:
    """Why the pod is still initialising; None when it is not."""
    for index, each in enumerate(statuses):
        state = each.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting")
        if (terminated and terminated.get("exitCode") == 0) or (each["name"] in sidecars and _started(each)):
            continue
        if terminated:
            return f"Init:{terminated.get('reason') or _exit(terminated)}"
        if waiting and waiting.get("reason") and waiting["reason"] != "PodInitializing":
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{total}"
    return None


def _main_reason(status: Status, reason: str, statuses: Sequence[Status]) -> str:
    """The first container with something to say is heard last."""
    for each in reversed(statuses):
        state = each.get("state") or {}
        terminated = state.get("terminated")
        if (state.get("waiting") or {}).get("reason"):
            reason = state["waiting"]["reason"]
        elif terminated and terminated.get("reason"):
            reason = terminated["reason"]
        elif terminated:
            reason = _exit(terminated)
    if reason == "Completed" and any(map(_runs, statuses)):
        return "Running" if _condition(status, "Ready") else "NotReady"
    return reason


def _deleted_reason(pod: Mapping[str, Any], reason: str) -> str:
    if "deletionTimestamp" not in pod["metadata"]:
        return reason
    status = pod.get("status") or {}
    if status.get("reason") == "NodeLost":
        return "Unknown"
    return reason if status.get("phase") in _TERMINAL else "Terminating"


def _started(status: Status) -> bool:
    return bool(status.get("started"))


def _runs(status: Status) -> bool:
    return bool(status.get("ready")) and bool((status.get("state") or {}).get("running"))


def _exit(terminated: Status) -> str:
    signal = terminated.get("signal")
    return f"Signal:{signal}" if signal else f"ExitCode:{terminated.get('exitCode', 0)}"


def _last_end(status: Status) -> str:
    return str(((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or "")


def _condition(status: Status, kind: str) -> bool:
    return any(each["type"] == kind and each["status"] == "True" for each in status.get("conditions") or ())


def _ready(pod: Mapping[str, Any]) -> str:
    found = summary(pod)
    return f"{found.ready}/{found.total}"


def _restarts(pod: Mapping[str, Any], now_s: float) -> str:
    found = summary(pod)
    if not found.restarts or not found.last_restart:
        return str(found.restarts)
    return f"{found.restarts} ({duration(now_s - seconds(found.last_restart))} ago)"


def _ip(pod: Mapping[str, Any]) -> str:
    status = pod.get("status") or {}
    addresses = [each["ip"] for each in status.get("podIPs") or ()]
    return addresses[0] if addresses else status.get("podIP") or NONE


def _gates(pod: Mapping[str, Any]) -> str:
    gates = [each["conditionType"] for each in pod["spec"].get("readinessGates") or ()]
    met = sum(_condition(pod.get("status") or {}, gate) for gate in gates)
    return f"{met}/{len(gates)}" if gates else NONE


def _columns() -> Iterator[Column]:
    yield NAME
    yield column("Ready", _ready)
    yield column("Status", lambda pod: summary(pod).reason)
    yield Column("Restarts", _restarts)
    yield AGE
    yield column("IP", _ip, WIDE)
    yield column("Node", at("spec.nodeName"), WIDE)
    yield column("Nominated Node", at("status.nominatedNodeName"), WIDE)
    yield column("Readiness Gates", _gates, WIDE)


COLUMNS: Mapping[str, Sequence[Column]] = {"Pod": tuple(_columns())}
