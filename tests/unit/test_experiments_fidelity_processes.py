"""Whose processor time it was."""

from __future__ import annotations

import os
import subprocess
import sys

from experiments.fidelity import processes
from experiments.fidelity.processes import Accounts, Process, gains, owned, parse, parse_schedstat

INIT = Process(1, 0, "init", 1, 100.0)
RUN = Process(10, 1, "mininetes", 50, 4.0)
SWITCH = Process(11, 10, "ovs-vswitchd", 60, 2.0)
SHELL = Process(20, 1, "sh", 70, 1.0)
HOG = Process(21, 20, "hog", 80, 500.0)


def table(*some: Process) -> dict[int, Process]:
    return {process.pid: process for process in some}


def used(process: Process, more_s: float) -> Process:
    return Process(process.pid, process.parent, process.name, process.started, process.cpu_s + more_s)


def test_parse_a_name_that_looks_like_fields() -> None:
    line = "42 (a) S (b) R 1 42 42 0 -1 4194304 100 0 0 0 150 50 30 20 20 0 1 0 12345 0 0\n"
    assert parse(line) == Process(42, 1, "a) S (b", 12345, 2.5)


def test_the_kernels_own_threads_are_nobodys() -> None:
    assert parse("13 (ksoftirqd/0) S 2 0 0 0 -1 69238848 0 0 0 0 0 500 0 0 20 0 1 0 5 0 0\n") is None


def test_schedstat() -> None:
    found = parse_schedstat("1500000000 500000000 77\n")
    assert (found.ran_s, found.waited_s) == (1.5, 0.5)


def test_owned_are_descendants_and_who_was_owned_before() -> None:
    everybody = table(INIT, RUN, SWITCH, SHELL, HOG)
    assert owned(everybody, [10]) == {(10, 50), (11, 60)}
    adopted = Process(11, 1, "ovs-vswitchd", 60, 2.0)
    assert owned(table(INIT, adopted), [10], {(11, 60)}) == {(11, 60)}
    reused = Process(11, 1, "other", 99, 0.0)
    assert owned(table(INIT, reused), [10], {(11, 60)}) == set()


def test_gains_of_who_stays() -> None:
    before, now = table(RUN, HOG), table(used(RUN, 0.5), used(HOG, 2.0))
    assert {process.name: gained for process, gained in gains(before, now)} == {"mininetes": 0.5, "hog": 2.0}


def test_a_process_that_began_and_ended_between_two_looks_comes_back_with_its_parent() -> None:
    assert gains(table(SHELL), table(used(SHELL, 3.0))) == [(used(SHELL, 3.0), 3.0)]


def test_what_was_counted_before_a_process_ended_is_not_counted_again() -> None:
    # The shell waited for the hog, which had used 500 s at the last look and 0.25 s since.
    before, now = table(SHELL, HOG), table(used(SHELL, 500.25))
    assert gains(before, now) == [(used(SHELL, 500.25), 0.25)]


def test_a_whole_line_of_processes_ends() -> None:
    # init waited for the shell, which had waited for the hog.
    before, now = table(INIT, SHELL, HOG), table(used(INIT, 501.5))
    assert gains(before, now) == [(used(INIT, 501.5), 0.5)]


def test_a_pid_that_is_used_again_is_another_process() -> None:
    again = Process(HOG.pid, 1, "new", 999, 0.5)
    assert gains(table(HOG), table(again)) == [(again, 0.5)]


def test_accounts() -> None:
    accounts = Accounts(frozenset({10}))
    accounts.begin(table(INIT, RUN, SWITCH, SHELL, HOG))
    accounts.look(table(INIT, used(RUN, 1.0), used(SWITCH, 0.5), SHELL, used(HOG, 3.0)))
    accounts.look(table(INIT, used(RUN, 1.5), used(SWITCH, 0.5), used(SHELL, 503.0)))
    assert accounts.own_s == {"mininetes": 1.5, "ovs-vswitchd": 0.5}
    # Whatever is left of a process that has ended is told by the name of who waited for it.
    assert accounts.strangers_s == {"hog": 3.0}


def test_look_sees_a_child_and_that_it_is_ours() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        everybody = processes.look()
        mine = owned(everybody, [os.getpid()])
        assert (child.pid, everybody[child.pid].started) in mine
        assert everybody[child.pid].parent == os.getpid()
        child.communicate(b"\n")
