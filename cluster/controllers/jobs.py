"""Job: pods until so many of them have succeeded.

As pkg/controller/job: each pod holds a finalizer until it is counted, so that none is missed or counted twice, and
the counts stay when the pods go. Counting and letting go are one transaction here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cluster import conditions, deletion
from cluster.conditions import Verdict
from cluster.context import Context
from cluster.controllers.adoption import claim_pods, is_active
from cluster.controllers.job_indexes import (
    INDEX_ANNOTATION,
    as_text,
    index_of,
    missing_indexes,
    parsed,
)
from cluster.controllers.pod_template import pod
from cluster.controllers.replicasets import first_to_go, to_create, to_delete
from cluster.deletion import JOB_TRACKING as TRACKING
from cluster.deletion import is_deleting
from cluster.draft import Key
from cluster.objects import Object, name, namespace, ready
from cluster.ownership import is_finished
from cluster.times import seconds
from cluster.well_known import JOB_NAME_LABEL, JOB_UID_LABEL

COMPONENT = "job-controller"
DEFAULT_BACKOFF_LIMIT = 6
FIRST_DELAY_S, MAX_DELAY_S = 10, 600
"""Between a failure and the next try, doubled with every failure (DefaultJobPodFailureBackOff …)."""


@dataclass(slots=True)
class _Job:
    """A Job as it is being looked at; `status` is what it will say."""

    obj: Object
    key: Key
    pods: list[Object]
    status: Object
    succeeded_indexes: set[int] = field(default_factory=set)
    failures: list[float] = field(default_factory=list)
    """When each pod that failed has ended, as far as the pods still tell."""

    @property
    def spec(self) -> Mapping[str, Any]:
        spec: Mapping[str, Any] = self.obj["spec"]
        return spec

    @property
    def indexed(self) -> bool:
        return self.spec.get("completionMode") == "Indexed"

    @property
    def active(self) -> list[Object]:
        return [a_pod for a_pod in self.pods if is_active(a_pod)]


def look(context: Context, key: Key) -> None:
    obj = context.get(key)
    if obj is None or is_deleting(obj):
        return
    if is_over(obj):
        _expire(context, key, obj)
        if context.live(key) is not None:
            job = _read(context, key, obj)
            _count(context, job)
            _write_status(context, job)
        return
    job = _read(context, key, obj)
    _count(context, job)
    if verdict := _verdict(context, job):
        _end(context, job, *verdict)
    else:
        _suspend_or_resume(context, job)
        _run(context, job)
    _write_status(context, job)


def is_over(job: Mapping[str, Any]) -> bool:
    return conditions.is_true(job, "Complete") or conditions.is_true(job, "Failed")


def _read(context: Context, key: Key, obj: Object) -> _Job:
    status = dict(obj.get("status") or {})
    return _Job(obj, key, claim_pods(context, obj), status, parsed(status.get("completedIndexes", "")))


def _count(context: Context, job: _Job) -> None:
    """Count what has ended since the last look, and let go of it."""
    for place, a_pod in enumerate(job.pods):
        phase = (a_pod.get("status") or {}).get("phase")
        gone = is_deleting(a_pod) and not a_pod["metadata"].get("deletionGracePeriodSeconds")
        if phase == "Failed":
            job.failures.append(_ended_at(a_pod))
        if TRACKING not in (a_pod["metadata"].get("finalizers") or ()) or not (is_finished(a_pod) or gone):
            continue
        index = index_of(a_pod)
        if phase != "Succeeded":
            job.status["failed"] = job.status.get("failed", 0) + 1
        elif not job.indexed:
            job.status["succeeded"] = job.status.get("succeeded", 0) + 1
        elif index is not None:
            job.succeeded_indexes.add(index)
        deletion.release(context.draft, a_pod, TRACKING)
        job.pods[place] = context.get(("Pod", namespace(a_pod), name(a_pod))) or a_pod
    if job.indexed:
        job.status["succeeded"] = len(job.succeeded_indexes)


def _verdict(context: Context, job: _Job) -> tuple[str, str, str] | None:
    """Condition, reason and message of a Job that is over."""
    spec, succeeded = job.spec, job.status.get("succeeded", 0)
    if max(job.status.get("failed", 0), _restarts(job)) > spec.get("backoffLimit", DEFAULT_BACKOFF_LIMIT):
        return "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    limit_s, start = spec.get("activeDeadlineSeconds"), job.status.get("startTime")
    if limit_s is not None and start and not spec.get("suspend"):
        if context.now >= seconds(start) + limit_s:
            return "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"
        context.wake(seconds(start) + limit_s, job.key)
    # A work queue, without completions, is done when one pod has succeeded and all have ended.
    completions = spec.get("completions")
    done = succeeded > 0 and not job.active if completions is None else succeeded >= completions
    return ("Complete", "CompletionsReached", "Reached expected number of succeeded pods") if done else None


def _restarts(job: _Job) -> int:
    """With restartPolicy OnFailure, it is the containers that fail again and again, not the pods."""
    if job.spec["template"]["spec"].get("restartPolicy") != "OnFailure":
        return 0
    statuses = [a_pod.get("status") or {} for a_pod in job.active]
    entries = [entry for status in statuses for entry in status.get("containerStatuses", ())]
    return sum(int(entry.get("restartCount", 0)) for entry in entries)


def _end(context: Context, job: _Job, type: str, reason: str, message: str) -> None:
    for a_pod in job.active:
        _stop(context, a_pod)
    first = "SuccessCriteriaMet" if type == "Complete" else "FailureTarget"
    for condition in (first, type):
        _set_condition(context, job, condition, "True", reason, message)
    if type == "Complete":
        job.status["completionTime"] = context.draft.now
        context.event(job.obj, "Normal", "Completed", "Job completed", COMPONENT)
    else:
        context.event(job.obj, "Warning", reason, message, COMPONENT)
    job.pods = context.get_all([("Pod", namespace(a_pod), name(a_pod)) for a_pod in job.pods])
    ttl_s = job.spec.get("ttlSecondsAfterFinished")
    if ttl_s is not None:
        context.wake(context.now + ttl_s, job.key)


def _stop(context: Context, a_pod: Object) -> None:
    """Delete a pod without counting it: it did not fail."""
    if TRACKING in (a_pod["metadata"].get("finalizers") or ()):
        deletion.release(context.draft, a_pod, TRACKING)
    context.delete(a_pod)


def _suspend_or_resume(context: Context, job: _Job) -> None:
    suspended = bool(job.spec.get("suspend"))
    was = conditions.is_true({"status": job.status}, "Suspended")
    if suspended:
        job.status.pop("startTime", None)
        if not was:
            _set_condition(context, job, "Suspended", "True", "JobSuspended", "Job suspended")
            context.event(job.obj, "Normal", "Suspended", "Job suspended", COMPONENT)
        return
    if was:
        _set_condition(context, job, "Suspended", "False", "JobResumed", "Job resumed")
        context.event(job.obj, "Normal", "Resumed", "Job resumed", COMPONENT)
    job.status.setdefault("startTime", context.draft.now)


def _run(context: Context, job: _Job) -> None:
    """Make or remove pods until as many run as may."""
    active = job.active
    wanted = _wanted(job, len(active))
    if len(active) > wanted:
        gone = first_to_go(context, job.obj, active)[: to_delete(context, job.key, len(active) - wanted)]
        for a_pod in gone:
            _stop(context, a_pod)
            context.event(job.obj, "Normal", "SuccessfulDelete", f"Deleted pod: {name(a_pod)}", COMPONENT)
        job.pods = [a_pod for a_pod in job.pods if a_pod not in gone]
        return
    if len(active) == wanted:
        return
    at = _next_try(job)
    if context.now < at:
        context.wake(at, job.key)
        return
    count = to_create(context, job.key, wanted - len(active), active)
    for index in missing_indexes(job.spec.get("completions"), job.succeeded_indexes, active, count):
        made = context.create(_pod(context, job, index if job.indexed else None))
        if made is not None:
            job.pods.append(made)
            context.event(job.obj, "Normal", "SuccessfulCreate", f"Created pod: {name(made)}", COMPONENT)


def _wanted(job: _Job, active: int) -> int:
    """How many pods should be running now."""
    succeeded: int = job.status.get("succeeded", 0)
    parallelism: int = job.spec.get("parallelism", 1)
    if job.spec.get("suspend"):
        return 0
    if job.spec.get("completions") is None:
        # A work queue: "when any Pod has terminated with success, no new Pods are created".
        return min(active, parallelism) if succeeded else parallelism
    return min(parallelism, max(int(job.spec["completions"]) - succeeded, 0))


def _next_try(job: _Job) -> float:
    if not job.failures:
        return 0.0
    delay_s: int = FIRST_DELAY_S * 2 ** (len(job.failures) - 1)
    return max(job.failures) + min(delay_s, MAX_DELAY_S)


def _ended_at(a_pod: Mapping[str, Any]) -> float:
    statuses = (a_pod.get("status") or {}).get("containerStatuses", ())
    states = [(entry.get("state") or {}).get("terminated") or {} for entry in statuses]
    return max((seconds(state["finishedAt"]) for state in states if state.get("finishedAt")), default=0.0)


def _pod(context: Context, job: _Job, index: int | None) -> Object:
    uid, owner_name = job.obj["metadata"]["uid"], name(job.obj)
    labels = {
        JOB_UID_LABEL: uid,
        JOB_NAME_LABEL: owner_name,
        "controller-uid": uid,
        "job-name": owner_name,
    }
    prefix = f"{owner_name}-" if index is None else f"{owner_name}-{index}-"
    spec: Object = {}
    if index is not None:
        labels[INDEX_ANNOTATION] = str(index)
        spec = {"hostname": f"{owner_name}-{index}"}
    made = pod(job.obj, context.fresh_name("Pod", namespace(job.obj), prefix), labels, spec)
    made["metadata"]["finalizers"] = [TRACKING]
    if index is not None:
        made["metadata"]["annotations"] = {**made["metadata"].get("annotations", {}), INDEX_ANNOTATION: str(index)}
        made["spec"] = _with_index_variable(made["spec"])
    return made


def _with_index_variable(spec: Object) -> Object:
    """JOB_COMPLETION_INDEX in every container, as the Job controller adds it."""
    source = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX_ANNOTATION}']"}}
    variable = {"name": "JOB_COMPLETION_INDEX", "valueFrom": source}
    filled = dict(spec)
    for kind in ("initContainers", "containers"):
        if kind in spec:
            filled[kind] = [{**one, "env": [*(one.get("env") or ()), variable]} for one in spec[kind]]
    return filled


def _expire(context: Context, key: Key, job: Object) -> None:
    """Delete a Job that has been over for ttlSecondsAfterFinished, and its pods with it."""
    ttl_s = job["spec"].get("ttlSecondsAfterFinished")
    over = conditions.find(job, "Complete") or conditions.find(job, "Failed")
    if ttl_s is None or over is None:
        return
    end = seconds(over["lastTransitionTime"]) + ttl_s
    if context.now >= end:
        context.delete(job)
    else:
        context.wake(end, key)


def _set_condition(context: Context, job: _Job, type: str, verdict: Verdict, reason: str, message: str) -> None:
    now = context.draft.now
    entry = conditions.condition(type, verdict, reason, message, now, lastProbeTime=now)
    job.status["conditions"] = list(conditions.merged(job.status.get("conditions", ()), entry))


def _write_status(context: Context, job: _Job) -> None:
    active = job.active
    terminating = [a_pod for a_pod in job.pods if is_deleting(a_pod) and not is_finished(a_pod)]
    counts = {"active": len(active), "ready": sum(map(ready, active)), "terminating": len(terminating)}
    status = {**job.status, **counts, "uncountedTerminatedPods": {}}
    if not active:
        del status["active"]
    if job.indexed:
        status["completedIndexes"] = as_text(job.succeeded_indexes)
    context.update_status(context.get(job.key) or job.obj, {key: value for key, value in status.items() if value != ""})
