"""Loads of the performance suite have their figures, in a network with nothing in it but the kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from experiments import generated
from experiments.plain import network
from experiments.suite import arms, cells, loads
from experiments.suite.arms import Arm
from experiments.suite.cells import Cell, Load


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arm]:
    if os.geteuid() != 0:
        pytest.skip("not root")
    spec = generated.write(arms.documents("direct"), tmp_path_factory.mktemp("suite") / "spec.yaml")
    with ExitStack() as stack:
        running = stack.enter_context(network.running(spec))
        yield arms.ready(stack, arms.PLAIN, "direct", running, arms.cluster_ips(spec))


@pytest.mark.parametrize("load", ["tcp-8", "udp", "connections"])
def test_a_load_by_a_service_across_nodes(plain: Arm, load: Load) -> None:
    found = loads.measure(plain, Cell(load, "cross-node", "service", "direct"), 1)
    assert found[cells.MAIN_FIGURE[load]] > 10
    assert set(found) <= {name for name, *_ in cells.FIGURES}
