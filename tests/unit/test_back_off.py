"""Restart policy and back-off (topo/back_off.py)."""

from __future__ import annotations

import pytest

from topo.back_off import BackOff, RestartPolicy, restarts


@pytest.mark.parametrize(
    ("policy", "exit_code", "init", "expected"),
    [
        ("Always", 0, False, True),
        ("Always", 1, False, True),
        ("OnFailure", 0, False, False),
        ("OnFailure", 137, False, True),
        ("Never", 0, False, False),
        ("Never", 1, False, False),
        ("Always", 0, True, False),
        ("Always", 1, True, True),
        ("OnFailure", 1, True, True),
        ("Never", 1, True, False),
    ],
)
def test_restart_policy(policy: RestartPolicy, exit_code: int, init: bool, expected: bool) -> None:
    assert restarts(policy, exit_code, init) is expected


def test_the_first_restart_is_immediate_and_the_delays_double_to_five_minutes() -> None:
    back_off, now, waits = BackOff(), 1000.0, []
    for _ in range(8):
        start = back_off.due(now)
        waits.append(start - now)
        back_off = back_off.after_restart(now, start)
        now = start + 1
    assert waits == [0, 10, 20, 40, 80, 160, 300, 300]


def test_ten_minutes_of_running_reset_the_delay() -> None:
    back_off = BackOff(delay_s=160, restarted_at=0)
    assert back_off.due(600) == 760
    assert back_off.due(601) == 601
    assert back_off.after_restart(601, 601) == BackOff(10, 601)
