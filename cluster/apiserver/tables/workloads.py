"""The columns of what makes pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.apiserver.tables.columns import AGE, NAME, WIDE, Cell, Column, at, column, count, number
from cluster.apiserver.tables.text import NONE, UNSET, age, duration, labels, seconds, selector

Object = Mapping[str, Any]

_JOB_STATES = ("Complete", "Failed", "Terminating", "Suspended", "FailureTarget", "SuccessCriteriaMet")
"""Whichever comes first and holds; Terminating is no condition."""


def _containers(field: str, path: str) -> Any:
    pod_spec = at(path, "")

    def listed(obj: Object) -> str:
        spec: Any = pod_spec(obj) or {}
        return ",".join(str(each.get(field, "")) for each in spec.get("containers") or ())

    return listed


def _wide(path: str = "spec.template.spec", selects: Column | None = None) -> tuple[Column, ...]:
    return (
        column("Containers", _containers("name", path), WIDE),
        column("Images", _containers("image", path), WIDE),
        *((selects,) if selects else ()),
    )


_SELECTOR = column("Selector", lambda obj: selector((obj.get("spec") or {}).get("selector")), WIDE)
_PLAIN_SELECTOR = column("Selector", lambda obj: labels((obj.get("spec") or {}).get("selector")), WIDE)


def _replicas(obj: Object) -> str:
    return f"{count('status.readyReplicas')(obj)}/{count('spec.replicas')(obj)}"


def _job_status(job: Object) -> str:
    conditions = (job.get("status") or {}).get("conditions") or ()
    held = {each["type"] for each in conditions if each["status"] == "True"}
    if "deletionTimestamp" in job["metadata"]:
        held.add("Terminating")
    return next((state for state in _JOB_STATES if state in held), "Running")


def _completions(job: Object) -> str:
    succeeded, spec = count("status.succeeded")(job), job.get("spec") or {}
    if spec.get("completions") is not None:
        return f"{succeeded}/{spec['completions']}"
    parallelism = spec.get("parallelism") or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _job_duration(job: Object, now_s: float) -> str:
    status = job.get("status") or {}
    if not status.get("startTime"):
        return ""
    end_s = seconds(status["completionTime"]) if status.get("completionTime") else now_s
    return duration(end_s - seconds(status["startTime"]))


def _last_schedule(job: Object, now_s: float) -> str:
    last = (job.get("status") or {}).get("lastScheduleTime")
    return age(last, now_s) if last else NONE


def _suspended(job: Object) -> str:
    suspend = (job.get("spec") or {}).get("suspend")
    return UNSET if suspend is None else str(bool(suspend))


def _hpa_reference(scaler: Object) -> str:
    target = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
    return f"{target.get('kind', '')}/{target.get('name', '')}"


def _hpa_targets(scaler: Object) -> str:
    """Nothing measures here, so that the present values are unknown."""
    found = []
    for metric in (scaler.get("spec") or {}).get("metrics") or ():
        resource = metric.get("resource") or {}
        target = resource.get("target") or {}
        wanted = target.get("averageValue", f"{target.get('averageUtilization', 0)}%")
        found.append(f"{resource.get('name', metric.get('type'))}: <unknown>/{wanted}")
    return ", ".join(found) or NONE


def _bound(path: str, default: str) -> Any:
    value = at(path, default)
    return lambda obj: str(value(obj))


def _controller(revision: Object) -> Cell:
    for owner in revision["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            group = owner["apiVersion"].rpartition("/")[0]
            kind = owner["kind"].lower()
            return f"{kind}.{group}/{owner['name']}" if group else f"{kind}/{owner['name']}"
    return NONE


_SET = (
    NAME,
    number("Desired", count("spec.replicas")),
    number("Current", count("status.replicas")),
    number("Ready", count("status.readyReplicas")),
    AGE,
)

COLUMNS: Mapping[str, Sequence[Column]] = {
    "Deployment": (
        NAME,
        column("Ready", _replicas),
        number("Up-to-date", count("status.updatedReplicas")),
        number("Available", count("status.availableReplicas")),
        AGE,
        *_wide(selects=_SELECTOR),
    ),
    "ReplicaSet": (*_SET, *_wide(selects=_SELECTOR)),
    "ReplicationController": (*_SET, *_wide(selects=_PLAIN_SELECTOR)),
    "StatefulSet": (NAME, column("Ready", _replicas), AGE, *_wide()),
    "DaemonSet": (
        NAME,
        number("Desired", count("status.desiredNumberScheduled")),
        number("Current", count("status.currentNumberScheduled")),
        number("Ready", count("status.numberReady")),
        number("Up-to-date", count("status.updatedNumberScheduled")),
        number("Available", count("status.numberAvailable")),
        column("Node Selector", lambda obj: labels(obj["spec"]["template"]["spec"].get("nodeSelector"))),
        AGE,
        *_wide(selects=_SELECTOR),
    ),
    "Job": (
        NAME,
        column("Status", _job_status),
        column("Completions", _completions),
        Column("Duration", _job_duration),
        AGE,
        *_wide(selects=_SELECTOR),
    ),
    "CronJob": (
        NAME,
        column("Schedule", at("spec.schedule", "")),
        column("Timezone", at("spec.timeZone")),
        column("Suspend", _suspended),
        number("Active", lambda obj: len((obj.get("status") or {}).get("active") or ())),
        Column("Last Schedule", _last_schedule),
        AGE,
        *_wide("spec.jobTemplate.spec.template.spec"),
        column("Selector", lambda obj: selector(obj["spec"]["jobTemplate"]["spec"].get("selector")), WIDE),
    ),
    "HorizontalPodAutoscaler": (
        NAME,
        column("Reference", _hpa_reference),
        column("Targets", _hpa_targets),
        column("MinPods", _bound("spec.minReplicas", UNSET)),
        number("MaxPods", count("spec.maxReplicas")),
        number("Replicas", count("status.currentReplicas")),
        AGE,
    ),
    "PodDisruptionBudget": (
        NAME,
        column("Min Available", _bound("spec.minAvailable", "N/A")),
        column("Max Unavailable", _bound("spec.maxUnavailable", "N/A")),
        number("Allowed Disruptions", count("status.disruptionsAllowed")),
        AGE,
    ),
    "ControllerRevision": (NAME, column("Controller", _controller), number("Revision", count("revision")), AGE),
    "PodTemplate": (
        NAME,
        column("Containers", _containers("name", "template.spec")),
        column("Images", _containers("image", "template.spec")),
        column("Pod Labels", lambda obj: labels((obj.get("template") or {}).get("metadata", {}).get("labels"))),
    ),
}
