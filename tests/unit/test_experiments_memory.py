"""How much memory is taken, once nothing changes any more."""

from __future__ import annotations

from itertools import chain, repeat

import pytest

from experiments import memory

MB = 1 << 20


MEMINFO = """MemTotal:       24682416 kB
MemAvailable:   23870908 kB
Cached:          1419956 kB
AnonPages:         32496 kB
Shmem:              9000 kB
KernelStack:        2000 kB
PageTables:          504 kB
Percpu:             1000 kB
Slab:             291456 kB
"""


def test_what_is_in_use_is_added_up_and_cached_files_are_not() -> None:
    assert memory.parse_used(MEMINFO) == (32496 + 9000 + 2000 + 504 + 1000 + 291456) * 1024


def test_meminfo_without_one_of_the_figures() -> None:
    with pytest.raises(ValueError, match="has no Slab"):
        memory.parse_used(MEMINFO.replace("Slab:", "Other:"))


def test_the_kernel_here_has_all_of_them() -> None:
    assert memory.used_bytes() > 1 << 20


def test_waits_until_nothing_changes_any_more() -> None:
    looks = chain((MB * 100 * step for step in range(10)), repeat(2000 * MB))
    assert memory.settled_bytes(lambda: next(looks), lambda _: None) == 2000 * MB


def test_a_machine_that_never_calms_down_is_looked_at_anyway() -> None:
    looks = iter(range(0, 10**6 * MB, 100 * MB))
    assert memory.settled_bytes(lambda: next(looks), lambda _: None) > 0
