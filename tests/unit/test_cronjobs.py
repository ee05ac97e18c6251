"""CronJobs: when they start Jobs, and how many they keep."""

from __future__ import annotations

from typing import Any

import samples

from cluster.objects import Object, name


def cron_job(**spec: Any) -> Object:
    pod = {"containers": [{"name": "main", "image": "pause"}], "restartPolicy": "Never"}
    template = {"spec": {"template": {"metadata": {"labels": {"app": "tick"}}, "spec": pod}}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "tick", "namespace": "default"},
        "spec": {"schedule": "*/5 * * * *", "jobTemplate": template, **spec},
    }


def scratch(**spec: Any) -> samples.Scratch:
    return samples.Scratch(samples.cluster(), [cron_job(**spec)])


def jobs(world: samples.Scratch) -> list[str]:
    return [name(job) for job in world.draft.objects("Job")]


def succeed(world: samples.Scratch) -> None:
    for pod in [pod for pod in world.pods() if samples.is_bound(pod)]:
        world.report(pod, {"phase": "Succeeded"})


def status(world: samples.Scratch) -> Object:
    found: Object = world.one("CronJob", "tick").get("status", {})
    return found


def test_nothing_starts_before_its_time() -> None:
    world = scratch()
    world.wait(299)
    assert jobs(world) == []
    world.wait(1)
    assert len(jobs(world)) == 1
    assert status(world)["lastScheduleTime"] == "2024-01-01T00:05:00Z"
    assert [entry["name"] for entry in status(world)["active"]] == jobs(world)


def test_a_job_is_named_after_its_minute() -> None:
    world = scratch()
    world.wait(300)
    assert jobs(world) == [f"tick-{int(world.now()) // 60}"]


def test_forbid_skips_while_one_runs() -> None:
    world = scratch(concurrencyPolicy="Forbid")
    world.wait(600)
    assert len(jobs(world)) == 1


def test_replace_ends_the_one_that_runs() -> None:
    world = scratch(concurrencyPolicy="Replace")
    world.wait(300)
    before = jobs(world)
    world.wait(300)
    assert len(jobs(world)) == 1
    assert jobs(world) != before


def test_allow_runs_them_side_by_side() -> None:
    world = scratch()
    world.wait(600)
    assert len(jobs(world)) == 2


def test_a_suspended_one_starts_nothing() -> None:
    world = scratch(suspend=True)
    world.wait(3600)
    assert jobs(world) == []


def test_only_the_latest_successes_are_kept() -> None:
    world = scratch(successfulJobsHistoryLimit=2)
    for _ in range(4):
        world.wait(300)
        succeed(world)
    assert len(jobs(world)) == 2
    assert "lastSuccessfulTime" in status(world)


def test_after_a_long_pause_the_last_missed_time_is_made_up_for() -> None:
    world = scratch()
    world.draft.now = "2024-01-02T00:01:00Z"
    world.restart()
    world.settle()
    assert status(world)["lastScheduleTime"] == "2024-01-02T00:00:00Z"
    assert len(jobs(world)) == 1


def test_a_missed_time_beyond_the_deadline_is_not_made_up_for() -> None:
    world = scratch(startingDeadlineSeconds=10)
    world.draft.now = "2024-01-01T00:06:00Z"
    world.restart()
    world.settle()
    assert jobs(world) == []


def test_a_wrong_schedule_is_told_in_an_event() -> None:
    assert scratch(schedule="never").events("UnparseableSchedule")[0].startswith("unparseable schedule: ")
