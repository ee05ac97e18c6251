"""Jobs: counting, failing, suspending, indexes, deadlines."""

from __future__ import annotations

from typing import Any

import pytest
import samples

from cluster.controllers.job_indexes import as_text, parsed
from cluster.deletion import JOB_TRACKING
from cluster.objects import Object, annotation, name


def job(**spec: Any) -> Object:
    return samples.workload("Job", "once", pod={"restartPolicy": "Never"}, **spec)


def scratch(**spec: Any) -> samples.Scratch:
    return samples.Scratch(samples.cluster(), [job(**spec)])


def finish(world: samples.Scratch, phase: str, count: int = 1) -> None:
    """Let so many of the running pods end."""
    for pod in [pod for pod in world.pods() if samples.is_bound(pod)][:count]:
        terminated = {"exitCode": int(phase == "Failed"), "finishedAt": world.draft.now}
        world.report(pod, {"phase": phase, "containerStatuses": [{"name": "main", "state": {"terminated": terminated}}]})


def status(world: samples.Scratch) -> Object:
    found: Object = world.one("Job", "once")["status"]
    return found


def conditions(world: samples.Scratch) -> dict[str, tuple[str, str]]:
    return {entry["type"]: (entry["status"], entry["reason"]) for entry in status(world).get("conditions", ())}


def running(world: samples.Scratch) -> list[Object]:
    return [pod for pod in world.pods() if samples.is_bound(pod)]


def test_a_job_ends_when_enough_pods_have_succeeded() -> None:
    world = scratch(completions=3, parallelism=2)
    assert status(world)["active"] == 2
    finish(world, "Succeeded", 2)
    assert len(running(world)) == 1
    finish(world, "Succeeded")
    assert conditions(world)["Complete"] == ("True", "CompletionsReached")
    assert status(world)["succeeded"] == 3
    assert "completionTime" in status(world)


def test_pods_that_are_gone_stay_counted() -> None:
    world = scratch(completions=2, parallelism=1)
    finish(world, "Succeeded")
    done = next(pod for pod in world.pods() if pod["status"]["phase"] == "Succeeded")
    assert JOB_TRACKING not in done["metadata"].get("finalizers", [])
    world.delete(done)
    finish(world, "Succeeded")
    assert status(world)["succeeded"] == 2


def test_a_pod_that_somebody_deletes_counts_as_failed() -> None:
    world = scratch(completions=1)
    world.delete(world.pods()[0])
    assert status(world)["failed"] == 1
    assert len(running(world)) == 1


def test_the_next_try_comes_after_ten_seconds_then_twenty() -> None:
    world = scratch(completions=1)
    for delay_s in (10, 20):
        finish(world, "Failed")
        world.wait(delay_s - 1)
        assert running(world) == []
        world.wait(1)
        assert len(running(world)) == 1


def test_a_job_gives_up_after_its_backoff_limit() -> None:
    world = scratch(completions=1, backoffLimit=1)
    finish(world, "Failed")
    world.wait(10)
    finish(world, "Failed")
    assert conditions(world)["Failed"] == ("True", "BackoffLimitExceeded")
    assert running(world) == []


def test_a_deadline_ends_a_job_that_runs() -> None:
    world = scratch(completions=1, activeDeadlineSeconds=60)
    world.wait(61)
    assert conditions(world)["Failed"] == ("True", "DeadlineExceeded")
    assert world.pods() == []


def test_a_suspended_job_lets_go_of_its_pods_and_takes_up_again() -> None:
    world = scratch(completions=2, parallelism=2)
    stored = world.one("Job", "once")
    world.draft.put({**stored, "spec": {**stored["spec"], "suspend": True}})
    world.settle()
    assert (world.pods(), conditions(world)["Suspended"]) == ([], ("True", "JobSuspended"))
    assert "failed" not in status(world)
    stored = world.one("Job", "once")
    world.draft.put({**stored, "spec": {**stored["spec"], "suspend": False}})
    world.settle()
    assert len(running(world)) == 2
    assert conditions(world)["Suspended"] == ("False", "JobResumed")


def test_an_indexed_job_runs_each_index_once() -> None:
    world = scratch(completions=4, parallelism=2, completionMode="Indexed")
    assert [annotation(pod, "batch.kubernetes.io/job-completion-index") for pod in world.pods()] == ["0", "1"]
    assert world.pods()[0]["spec"]["hostname"] == "once-0"
    assert world.pods()[0]["spec"]["containers"][0]["env"][0]["name"] == "JOB_COMPLETION_INDEX"
    second = world.pods()[1]
    world.report(second, {"phase": "Succeeded"})
    assert status(world)["completedIndexes"] == "1"
    while running(world):
        finish(world, "Succeeded")
    assert status(world)["completedIndexes"] == "0-3"


def test_a_finished_job_is_deleted_after_its_time_to_live() -> None:
    world = scratch(completions=1, ttlSecondsAfterFinished=100)
    finish(world, "Succeeded")
    world.wait(99)
    assert len(world.draft.objects("Job")) == 1
    world.wait(2)
    assert (world.draft.objects("Job"), world.pods()) == ([], [])


def test_a_deleted_job_takes_its_pods_with_it() -> None:
    world = scratch(completions=3, parallelism=3)
    world.delete(world.one("Job", "once"))
    assert world.pods() == []


def test_pods_bear_the_name_and_the_uid_of_their_job() -> None:
    world = scratch()
    labels = world.pods()[0]["metadata"]["labels"]
    assert labels["batch.kubernetes.io/job-name"] == "once"
    assert labels["batch.kubernetes.io/controller-uid"] == world.one("Job", "once")["metadata"]["uid"]
    assert name(world.pods()[0]).startswith("once-")


@pytest.mark.parametrize(("indexes", "text"), [(set(), ""), ({3}, "3"), ({0, 1, 2, 5, 7, 8}, "0-2,5,7-8")])
def test_completed_indexes_are_written_as_ranges(indexes: set[int], text: str) -> None:
    assert as_text(indexes) == text
    assert parsed(text) == indexes
