"""The life of a pod's containers: starts, hooks, restarts, and the way to its end."""

from __future__ import annotations

import signal
from typing import Any

from topo.container import AFTER_HOOK_S
from topo.containers import Hook, PodLife, Signal, Start

GRACE_S = 30
TERM, KILL = signal.SIGTERM, signal.SIGKILL
PRE_STOP = {"lifecycle": {"preStop": {"exec": {"command": ["true"]}}}}
POST_START = {"lifecycle": {"postStart": {"exec": {"command": ["true"]}}}}


def life(*containers: dict[str, Any], inits: tuple[dict[str, Any], ...] = (), **spec: Any) -> PodLife:
    named = [{"name": f"c{number}", **container} for number, container in enumerate(containers or ({},))]
    init = [{"name": f"i{number}", **container} for number, container in enumerate(inits)]
    return PodLife({"spec": {"containers": named, "initContainers": init, **spec}})


def run(pod: PodLife, now: float = 0) -> list[str]:
    """Start what wants to be started, until nothing does; the names in order."""
    names = []
    while starts := [action for action in pod.advance(now) if isinstance(action, Start)]:
        for action in starts:
            pod.starting(action.container, now)
            pod.began(action.container, now)
            names.append(action.container)
    return names


def start(pod: PodLife, now: float = 0) -> Hook:
    """Start the only container, which has a postStart hook: the hook."""
    (action,) = pod.advance(now)
    pod.starting(action.container, now)
    pod.began(action.container, now)
    (hook,) = pod.advance(now)
    assert isinstance(hook, Hook)
    return hook


def test_all_containers_start_at_once() -> None:
    assert life({}, {}).advance(0) == [Start("c0", 0), Start("c1", 0)]


def test_init_containers_start_one_after_the_other() -> None:
    pod = life({}, inits=({}, {}))
    assert run(pod) == ["i0"]
    pod.ended("i0", 0, 1)
    assert run(pod) == ["i1"]
    pod.ended("i1", 0, 2)
    assert run(pod) == ["c0"]


def test_a_sidecar_lets_the_next_one_start() -> None:
    assert run(life({}, inits=({"restartPolicy": "Always"},))) == ["i0", "c0"]


def test_the_second_restart_waits() -> None:
    pod = life()
    run(pod)
    pod.ended("c0", 1, 10)
    assert run(pod, 10) == ["c0"]
    pod.ended("c0", 1, 11)
    assert pod.advance(11) == []
    assert pod.next_look() == 21
    assert pod.advance(21) == [Start("c0", 2)]


def test_a_pod_ends_by_sigterm() -> None:
    pod = life()
    run(pod)
    pod.stop(100, deleted=True)
    assert pod.advance(100) == [Signal("c0", 0, TERM)]
    assert pod.advance(101) == []
    assert not pod.gone
    pod.ended("c0", 143, 102)
    assert pod.gone
    assert pod.advance(102) == []


def test_sigkill_follows_when_the_grace_period_is_over() -> None:
    pod = life(terminationGracePeriodSeconds=5)
    run(pod)
    pod.stop(100)
    pod.advance(100)
    assert pod.next_look() == 105
    assert pod.advance(105) == [Signal("c0", 0, KILL)]
    assert pod.next_look() is None


def test_no_grace_at_all() -> None:
    pod = life(terminationGracePeriodSeconds=0)
    run(pod)
    pod.stop(100)
    assert pod.advance(100) == [Signal("c0", 0, TERM), Signal("c0", 0, KILL)]


def test_a_second_deletion_shortens_the_grace_period() -> None:
    pod = life()
    run(pod)
    pod.stop(100, 60)
    pod.advance(100)
    pod.stop(101, 2)
    pod.advance(101)
    assert pod.next_look() == 103
    pod.stop(102, 50)
    pod.advance(102)
    assert pod.next_look() == 103


def test_pre_stop_comes_before_sigterm_and_counts() -> None:
    pod = life(PRE_STOP)
    run(pod)
    pod.stop(100)
    (hook,) = pod.advance(100)
    assert hook == Hook("c0", 0, "preStop", GRACE_S)
    assert pod.advance(105) == []
    assert isinstance(hook, Hook)
    assert pod.hooked(hook, 110)
    assert pod.advance(110) == [Signal("c0", 0, TERM)]
    assert pod.next_look() == 130
    assert pod.advance(130) == [Signal("c0", 0, KILL)]


def test_a_failed_pre_stop_holds_up_nothing() -> None:
    pod = life(PRE_STOP)
    run(pod)
    pod.stop(100)
    (hook,) = pod.advance(100)
    assert isinstance(hook, Hook)
    assert pod.hooked(hook, 101, "exit status 1")
    assert pod.advance(101) == [Signal("c0", 0, TERM)]


def test_a_pre_stop_that_takes_the_whole_grace_period_leaves_two_seconds() -> None:
    pod = life(PRE_STOP)
    run(pod)
    pod.stop(100)
    (hook,) = pod.advance(100)
    assert pod.next_look() == 130
    assert pod.advance(130) == [Signal("c0", 0, TERM)]
    assert pod.next_look() == 130 + AFTER_HOOK_S
    assert pod.advance(130 + AFTER_HOOK_S) == [Signal("c0", 0, KILL)]
    pod.ended("c0", 137, 133)
    assert isinstance(hook, Hook)
    assert not pod.hooked(hook, 134)


def test_sidecars_end_last_in_reverse_order() -> None:
    always = {"restartPolicy": "Always"}
    pod = life({}, inits=(always, always))
    run(pod)
    pod.stop(100)
    assert pod.advance(100) == [Signal("c0", 0, TERM)]
    pod.ended("c0", 0, 101)
    assert pod.advance(101) == [Signal("i1", 0, TERM)]
    pod.ended("i1", 0, 102)
    assert pod.advance(102) == [Signal("i0", 0, TERM)]
    # The grace period is one for all.
    assert pod.advance(130) == [Signal("i0", 0, KILL)]


def test_nothing_starts_in_a_pod_that_ends() -> None:
    pod = life({}, {})
    run(pod)
    pod.stop(100)
    pod.advance(100)
    pod.ended("c0", 1, 100)
    assert pod.advance(200) == [Signal("c1", 0, KILL)]


def test_a_pod_that_never_started_ends_at_once() -> None:
    pod = life()
    pod.stop(100, deleted=True)
    assert pod.advance(100) == []
    assert pod.gone


def test_a_container_runs_when_its_post_start_hook_is_done() -> None:
    pod = life(POST_START)
    hook = start(pod)
    container = pod.containers["c0"]
    assert hook.name == "postStart"
    assert (container.phase, container.ready) == ("starting", False)
    assert pod.advance(1) == []
    assert pod.hooked(hook, 2)
    assert (container.phase, container.ready, container.started_at) == ("running", True, 0)


def test_a_failed_post_start_hook_ends_its_container() -> None:
    pod = life(POST_START)
    hook = start(pod)
    pod.hooked(hook, 2, "exit status 1")
    assert pod.advance(2) == [Signal("c0", 0, TERM)]
    pod.ended("c0", 143, 3)
    assert pod.advance(3) == [Start("c0", 1)]


def test_a_restarted_container_has_its_post_start_hook_again() -> None:
    pod = life(POST_START)
    hook = start(pod)
    pod.hooked(hook, 1)
    pod.ended("c0", 1, 2)
    assert start(pod, 2) == Hook("c0", 1, "postStart", GRACE_S)


def test_a_failed_probe_ends_the_container_with_a_grace_period_of_its_own() -> None:
    pod = life()
    run(pod)
    pod.restart("c0", 50, 3)
    assert pod.advance(50) == [Signal("c0", 0, TERM)]
    assert pod.next_look() == 53
    pod.ended("c0", 137, 53)
    assert pod.advance(53) == [Start("c0", 1)]
    assert not pod.stopping


def test_the_active_deadline_fails_the_pod() -> None:
    pod = life(activeDeadlineSeconds=60)
    run(pod)
    pod.activate(1000)
    assert pod.next_look() == 1060
    assert pod.advance(1060) == [Signal("c0", 0, TERM)]
    assert pod.failure is not None
    assert pod.failure[0] == "DeadlineExceeded"
    assert pod.failed
    pod.ended("c0", 143, 1061)
    assert pod.stopped
    assert not pod.gone
    pod.stop(1100, 0, deleted=True)
    assert pod.gone


def test_the_active_deadline_of_what_is_done_means_nothing() -> None:
    pod = life(activeDeadlineSeconds=60, restartPolicy="Never")
    run(pod)
    pod.activate(1000)
    pod.ended("c0", 0, 1010)
    assert pod.next_look() is None
    assert pod.advance(2000) == []
    assert not pod.failed


def test_an_adopted_container_has_had_its_hook() -> None:
    pod = life(POST_START)
    pod.adopt("c0", 3, 77)
    container = pod.containers["c0"]
    assert (container.run, container.phase, container.started_at) == (3, "running", 77)
    assert pod.advance(100) == []
