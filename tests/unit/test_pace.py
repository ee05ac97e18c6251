"""How many questions the matrix has under way at once."""

from __future__ import annotations

import pytest

from topo.pace import Window

TIMEOUT_S = 1.0
PROMPT_S, LATE_S = 0.01, 0.4


class Machine:
    """Answers everything that is under way at once, after so long."""

    def __init__(self) -> None:
        self.window = Window(TIMEOUT_S)
        self.now_s = 1000.0

    def windowful(self, took_s: float, way: str = "") -> int:
        """Ask and answer as many as may be asked; how many may be after that."""
        began_s = self.now_s
        self.now_s += took_s
        for _ in range(self.window.size):
            self.window.answered(way, began_s, self.now_s)
        return self.window.size

    def unanswered(self) -> int:
        self.now_s += TIMEOUT_S
        for _ in range(self.window.size):
            self.window.passed()
        return self.window.size


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_prompt_answers_open_the_window_fast(machine: Machine) -> None:
    assert [machine.windowful(PROMPT_S) for _ in range(4)] == [100, 200, 400, 400]


def test_what_a_policy_denies_opens_it_too(machine: Machine) -> None:
    assert [machine.unanswered() for _ in range(3)] == [100, 200, 400]


def test_late_answers_halve_it_once_for_all_that_were_under_way(machine: Machine) -> None:
    machine.windowful(PROMPT_S)
    assert [machine.windowful(LATE_S) for _ in range(5)] == [50, 25, 12, 8, 8]


def test_after_a_late_answer_it_opens_by_a_quarter(machine: Machine) -> None:
    machine.windowful(PROMPT_S)
    machine.windowful(LATE_S)
    assert [machine.windowful(PROMPT_S) for _ in range(3)] == [62, 77, 96]


def test_a_way_that_is_long_is_not_late(machine: Machine) -> None:
    assert [machine.windowful(LATE_S) for _ in range(2)] == [100, 200]
    assert machine.windowful(LATE_S + TIMEOUT_S / 4 + 0.01) == 100


def test_each_way_has_its_own_length(machine: Machine) -> None:
    machine.windowful(PROMPT_S, "near")
    machine.windowful(LATE_S, "far")
    assert machine.windowful(LATE_S, "far") == 400
    assert machine.windowful(LATE_S, "near") == 200
