"""Fixtures of the end-to-end tests: real testbeds, as root and as an ordinary user."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
import testbeds
from testbeds import CALLER, Testbed, User


def pytest_configure() -> None:
    # Testbeds are taken down also when somebody ends the tests, say timeout(1).
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def testbed() -> Callable[..., AbstractContextManager[Testbed]]:
    """A factory: `with testbed(*objects, files=…, user=…, expect=…) as running`."""
    return testbeds.started


@pytest.fixture(scope="session")
def nobody() -> Iterator[User]:
    """An ordinary user."""
    with testbeds.ordinary_user() as user:
        yield user


@pytest.fixture(scope="module", params=["root", "ordinary"])
def user(request: pytest.FixtureRequest, nobody: User) -> User:
    """Root and an ordinary user, one after the other; only the latter where the tests do not run as root."""
    if request.param == "ordinary":
        return nobody
    if os.geteuid() != 0:
        pytest.skip("not root")
    return CALLER
