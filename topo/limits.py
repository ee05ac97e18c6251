"""How many files a process may have open: the testbed's own as many as it can, what it starts as many as usual."""

from __future__ import annotations

import resource

_before: list[tuple[int, int]] = []


def raise_open_files() -> None:
    """As many as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    _before.append((soft, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def restore() -> None:
    """In a child: what held before."""
    if _before:
        resource.setrlimit(resource.RLIMIT_NOFILE, _before[-1])
