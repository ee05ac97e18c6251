"""What only a kernel with Open vSwitch's datapath, netem and SCTP can show: `make vm-test` has one. One testbed for all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
sys.path.insert(0, str(Path(__file__).parents[1] / "conformance"))
sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))

from kernel_site import NEEDED, START_TIMEOUT_S, spec
from kubernetes import config, dynamic
from service_site import Site
from testbeds import started


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    lacking = [module for module in NEEDED if not Path("/sys/module", module).exists()]
    if lacking:
        pytest.skip(f"this kernel has no {', '.join(lacking)}; run: make vm-test")
    with started(*spec(), timeout_s=START_TIMEOUT_S) as testbed, ExitStack() as stack:
        api = dynamic.DynamicClient(config.new_client_from_config(str(testbed.directory / "kubeconfig")))
        yield Site(testbed, api, stack)
