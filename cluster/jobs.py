"""Job: pods until so many of them have succeeded."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.objects import Object, name
from cluster.owned import Changes, NameSource
from cluster.ownership import is_finished
from cluster.pod_template import pod
from cluster.replicasets import first_to_go


def changes(job: Object, pods: Sequence[Object], names: NameSource) -> Changes:
    """`pods` are those it owns. Finished pods stay, as the record of what the Job did."""
    active = [a_pod for a_pod in pods if not is_finished(a_pod)]
    missing = _wanted(job, pods, len(active)) - len(active)
    if missing < 0:
        return Changes(deletions=first_to_go(active)[:-missing])
    labels = {"batch.kubernetes.io/job-name": name(job), "job-name": name(job)}
    return Changes(puts=[pod(job, names.generate(f"{name(job)}-"), labels) for _ in range(missing)])


def _wanted(job: Object, pods: Sequence[Object], active: int) -> int:
    """How many pods should be running now."""
    spec = job["spec"]
    phases = [a_pod.get("status", {}).get("phase") for a_pod in pods]
    succeeded, failed = phases.count("Succeeded"), phases.count("Failed")
    if spec.get("suspend") or failed > spec["backoffLimit"]:
        return 0
    parallelism: int = spec["parallelism"]
    if spec.get("completions") is None:
        # A work queue: "when any Pod has terminated with success, no new Pods are created".
        return min(active, parallelism) if succeeded else parallelism
    remaining: int = spec["completions"] - succeeded
    return min(parallelism, max(remaining, 0))
