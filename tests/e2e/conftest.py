"""Fixtures of the end-to-end tests: real testbeds, as root and as an ordinary user."""

from __future__ import annotations

import itertools
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import kubectl as kubectl_module
import manifests
import pytest
import testbeds
from kubectl import Kubectl
from testbeds import CALLER, Testbed, User

_numbers = itertools.count(1)


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


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[Testbed]:
    """The testbed of all tests that come by the Kubernetes API, each in namespaces of its own."""
    with testbeds.started(manifests.cluster(workers=2)) as running:
        yield running


@pytest.fixture
def kubectl(kubernetes: Testbed, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """kubectl in a fresh namespace."""
    program = kubectl_module.program()
    if program is None:
        pytest.skip("there is no kubectl (package kubernetes-client)")
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    namespace = f"{words.removeprefix('test-')[:40].strip('-')}-{next(_numbers)}"
    everywhere = Kubectl(program, kubernetes.directory / "kubeconfig")
    everywhere("create", "namespace", namespace).output  # noqa: B018
    yield Kubectl(program, everywhere.kubeconfig, namespace)
    everywhere("delete", "namespace", namespace, "--wait=false").output  # noqa: B018
