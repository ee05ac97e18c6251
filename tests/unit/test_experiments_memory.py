"""How much memory is taken, once nothing changes any more."""

from __future__ import annotations

from itertools import chain, repeat

import pytest

from experiments import memory

MB = 1 << 20


def test_meminfo_is_in_kb() -> None:
    assert memory.parse_available("MemTotal:  24682416 kB\nMemAvailable:   23870908 kB\n") == 23870908 * 1024


def test_meminfo_without_the_figure() -> None:
    with pytest.raises(ValueError, match="MemAvailable"):
        memory.parse_available("MemTotal: 1 kB\n")


def test_waits_until_nothing_changes_any_more() -> None:
    looks = chain((MB * 100 * step for step in range(10)), repeat(2000 * MB))
    assert memory.settled_bytes(lambda: next(looks), lambda _: None) == 2000 * MB


def test_a_machine_that_never_calms_down_is_looked_at_anyway() -> None:
    looks = iter(range(0, 10**6 * MB, 100 * MB))
    assert memory.settled_bytes(lambda: next(looks), lambda _: None) > 0
