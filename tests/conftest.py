"""Tests with real testbeds are tried again when they fail, and the report says so (R).

They run clocks, real processes and real packets on whatever machine there is, together with whatever else it does.
Upstream's own end-to-end tests are run like this (ginkgo --flake-attempts). What fails three times is broken.
"""

from __future__ import annotations

import pytest

_ON_TESTBEDS = {"e2e", "conformance"}
_AGAIN = 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name in _ON_TESTBEDS:
            item.add_marker(pytest.mark.flaky(reruns=_AGAIN))
