"""CronJob: a Job whenever the schedule says so (pkg/controller/cronjob, cronjob_controllerv2.go)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster import conditions
from cluster.context import Context
from cluster.controllers import cron
from cluster.controllers.jobs import is_over
from cluster.deletion import is_deleting
from cluster.draft import Key
from cluster.objects import Object, name, namespace
from cluster.ownership import controller_uid, reference
from cluster.times import seconds, timestamp

COMPONENT = "cronjob-controller"
SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
MAX_MISSED = 100
"""After so many missed times, only the last one counts and a warning says so."""

_WINDOWS_S = (3600, 86400, 31 * 86400, float("inf"))


def look(context: Context, key: Key) -> None:
    obj = context.get(key)
    if obj is None or is_deleting(obj):
        return
    jobs = [job for job in context.owned(obj, "Job") if controller_uid(job) == obj["metadata"]["uid"]]
    status = dict(obj.get("status") or {})
    _forget(context, obj, jobs)
    done = [conditions.find(job, "Complete") for job in jobs if conditions.is_true(job, "Complete")]
    if times := [entry["lastTransitionTime"] for entry in done if entry is not None]:
        status["lastSuccessfulTime"] = max([*times, status.get("lastSuccessfulTime", "")])
    active = [job for job in jobs if not is_over(job) and not is_deleting(job)]
    try:
        schedule = cron.parse(obj["spec"]["schedule"], obj["spec"].get("timeZone"))
    except ValueError as error:
        context.event(obj, "Warning", "UnparseableSchedule", f"unparseable schedule: {error}", COMPONENT)
    else:
        active = _run(context, key, obj, schedule, active, status)
    status.pop("active", None)
    if active:
        status["active"] = [_about(job) for job in active]
    context.update_status(obj, status)


def _run(
    context: Context, key: Key, obj: Object, schedule: cron.Schedule, active: list[Object], status: Object
) -> list[Object]:
    """Start what is due; the Jobs that run then."""
    spec = obj["spec"]
    if spec.get("suspend"):
        return active
    if (following := schedule.after(context.now)) is not None:
        context.wake(following, key)
    due = _due(context, obj, schedule, status)
    if due is None:
        return active
    policy = spec.get("concurrencyPolicy", "Allow")
    if active and policy == "Forbid":
        message = "Not starting job because prior execution is running and concurrency policy is Forbid"
        context.event(obj, "Normal", "JobAlreadyActive", message, COMPONENT)
        return active
    if policy == "Replace":
        for job in active:
            context.delete(job)
            context.event(obj, "Normal", "SuccessfulDelete", f"Deleted job {name(job)}", COMPONENT)
        active = []
    made = context.create(_job(obj, due))
    status["lastScheduleTime"] = timestamp(due)
    if made is None:
        return active
    context.event(obj, "Normal", "SuccessfulCreate", f"Created job {name(made)}", COMPONENT)
    return [*active, made]


def _due(context: Context, obj: Object, schedule: cron.Schedule, status: Mapping[str, Any]) -> float | None:
    """The last time that was missed, if it is not too long ago to be made up for."""
    start = seconds(status.get("lastScheduleTime") or obj["metadata"]["creationTimestamp"])
    deadline_s = obj["spec"].get("startingDeadlineSeconds")
    if deadline_s is not None:
        start = max(start, context.now - deadline_s)
    # Nearest first: what was missed may be years of minutes, and only the last time counts.
    for window_s in _WINDOWS_S:
        missed = list(schedule.between(max(start, context.now - window_s), context.now))
        if len(missed) > MAX_MISSED:
            message = f"too many missed start times: {len(missed)}"
            context.event(obj, "Warning", "TooManyMissedTimes", message, COMPONENT)
        if missed:
            return missed[-1]
    return None


def _forget(context: Context, obj: Object, jobs: Sequence[Object]) -> None:
    """Delete the oldest finished Jobs beyond the limits."""
    for condition, field, default in (
        ("Complete", "successfulJobsHistoryLimit", 3),
        ("Failed", "failedJobsHistoryLimit", 1),
    ):
        limit = obj["spec"].get(field, default)
        over = [job for job in jobs if conditions.is_true(job, condition) and not is_deleting(job)]
        over.sort(key=lambda job: (job.get("status") or {}).get("startTime", ""))
        for job in over[: max(0, len(over) - limit)]:
            context.delete(job)
            context.event(obj, "Normal", "SuccessfulDelete", f"Deleted job {name(job)}", COMPONENT)


def _job(obj: Object, due: float) -> Object:
    """Named after the minute for which it was due, so that it is made once only."""
    template = obj["spec"]["jobTemplate"]
    meta = template.get("metadata") or {}
    metadata: Object = {
        "name": f"{name(obj)}-{int(due) // 60}",
        "namespace": namespace(obj),
        "annotations": {**(meta.get("annotations") or {}), SCHEDULED_AT: timestamp(due)},
        "ownerReferences": [reference(obj)],
    }
    if meta.get("labels"):
        metadata["labels"] = dict(meta["labels"])
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]}


def _about(job: Object) -> Object:
    metadata = job["metadata"]
    about = {"apiVersion": "batch/v1", "kind": "Job", "name": name(job), "namespace": namespace(job)}
    return {**about, "uid": metadata["uid"]}
