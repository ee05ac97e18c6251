"""Events: what they say, and how they are counted."""

from __future__ import annotations

import samples

from cluster.draft import Draft
from cluster.events import MAX_SIMILAR, record
from cluster.objects import Object

NOW = "2024-01-01T00:00:00Z"


def drafted() -> tuple[Draft, Object]:
    draft = Draft({}, now=NOW)
    return draft, draft.put(samples.pod("a"))


def test_an_event_names_what_it_is_about() -> None:
    draft, pod = drafted()
    event = record(draft, pod, "Normal", "Scheduled", "Successfully assigned", "default-scheduler")
    assert event["involvedObject"]["uid"] == pod["metadata"]["uid"]
    assert event["metadata"]["namespace"] == "default"
    assert event["metadata"]["name"].startswith("a.")
    assert (event["reason"], event["source"], event["count"]) == ("Scheduled", {"component": "default-scheduler"}, 1)
    assert event["firstTimestamp"] == event["lastTimestamp"] == NOW


def test_the_same_said_again_is_counted() -> None:
    draft, pod = drafted()
    for _ in range(3):
        record(draft, pod, "Warning", "BackOff", "Back-off", "kubelet", "worker")
    (event,) = draft.objects("Event")
    assert event["count"] == 3


def test_many_that_differ_in_words_only_are_combined() -> None:
    draft, pod = drafted()
    for number in range(100):
        record(draft, pod, "Normal", "SuccessfulCreate", f"Created pod: {number}", "replicaset-controller")
    assert len(draft.objects("Event")) == MAX_SIMILAR + 1
    combined = draft.objects("Event")[-1]
    assert combined["message"] == "(combined from similar events): Created pod: 99"
    assert combined["count"] == 90


def test_an_event_is_no_change_of_desired_state() -> None:
    draft, pod = drafted()
    draft.desired_changed = False
    record(draft, pod, "Normal", "Killing", "Stopping container main", "kubelet")
    assert not draft.desired_changed


def test_an_event_about_a_node_is_in_the_default_namespace() -> None:
    event = record(Draft({}), {"kind": "Node", "name": "worker"}, "Normal", "NodeNotReady", "gone", "node-controller")
    assert event["metadata"]["namespace"] == "default"
