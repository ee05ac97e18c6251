"""On which processor somebody works, for measurements of microseconds.

Where the scheduler happens to put a switch and who asks through it makes a new connection take from 0.11 to 0.29 ms on
a machine of two processors, for minutes. Two testbeds that are compared must not differ in that: in both, the switch has
one processor, and who asks and who is asked have another.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from experiments.testbed import SANDBOX, Testbed


def pin_switch(running: Testbed) -> None:
    """All threads of a testbed's switch onto the first processor of this process. Raises CommandError."""
    number = running.exec(SANDBOX, "pgrep", "--exact", "ovs-vswitchd").strip()
    running.exec(SANDBOX, "taskset", "--all-tasks", "--cpu-list", "--pid", str(_processors()[0]), number)


def beside_switch(prefix: Sequence[str]) -> tuple[str, ...]:
    """A command prefix whose commands have the last processor: another one than the switch, if there is another."""
    return (*prefix, "taskset", "--cpu-list", str(_processors()[-1]))


def _processors() -> Sequence[int]:
    return sorted(os.sched_getaffinity(0))
