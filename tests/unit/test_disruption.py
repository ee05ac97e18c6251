"""PodDisruptionBudgets: what may be evicted."""

from __future__ import annotations

from typing import Any

import pytest
import samples

from cluster.objects import Object, name


def budget(**spec: Any) -> Object:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec},
    }


def scratch(**spec: Any) -> samples.Scratch:
    world = samples.Scratch(samples.cluster(), [samples.workload("Deployment", "web", replicas=4), budget(**spec)])
    world.make_ready()
    return world


def status(world: samples.Scratch) -> Object:
    found: Object = world.one("PodDisruptionBudget", "web")["status"]
    return found


@pytest.mark.parametrize(
    ("spec", "desired", "allowed"),
    [
        ({"minAvailable": 3}, 3, 1),
        ({"minAvailable": "50%"}, 2, 2),
        ({"maxUnavailable": 1}, 3, 1),
        ({"maxUnavailable": "30%"}, 2, 2),
        ({"minAvailable": 10}, 10, 0),
    ],
)
def test_the_status_says_how_many_may_go(spec: Object, desired: int, allowed: int) -> None:
    found = status(scratch(**spec))
    assert (found["expectedPods"], found["currentHealthy"]) == (4, 4)
    assert (found["desiredHealthy"], found["disruptionsAllowed"]) == (desired, allowed)


def test_a_pod_that_is_not_ready_leaves_less_room() -> None:
    world = scratch(minAvailable=3)
    pod = world.pods()[-1]
    world.report(pod, samples.running(pod, is_ready=False)["status"])
    assert (status(world)["currentHealthy"], status(world)["disruptionsAllowed"]) == (3, 0)
    assert status(world)["conditions"][0]["reason"] == "InsufficientPods"


def test_an_eviction_that_was_granted_counts_until_the_pod_goes_or_two_minutes_are_over() -> None:
    world = scratch(minAvailable=3)
    stored = world.one("PodDisruptionBudget", "web")
    pod = next(pod for pod in world.pods() if pod["metadata"]["namespace"] == "default")
    disrupted = {name(pod): world.draft.now}
    world.draft.put_status({**stored, "status": {**stored["status"], "disruptedPods": disrupted}})
    world.settle()
    assert (status(world)["currentHealthy"], status(world)["disruptionsAllowed"]) == (3, 0)
    world.wait(121)
    assert "disruptedPods" not in status(world)
    assert status(world)["disruptionsAllowed"] == 1


def test_a_budget_without_pods_allows_nothing() -> None:
    world = samples.Scratch(samples.cluster(), [budget(maxUnavailable=1)])
    assert (status(world)["expectedPods"], status(world)["disruptionsAllowed"]) == (0, 0)
