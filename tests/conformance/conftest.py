"""The conformance tests: upstream's titles, this project's code. They share one testbed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
sys.path.insert(0, str(Path(__file__).parent))

from service_site import Site, running


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with running() as made:
        yield made
