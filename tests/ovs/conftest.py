"""A controller process, an Open vSwitch and an API for it, each test its own; the tests' helpers are importable."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_api import FakeApi

from cluster.waiting import Timeout, wait_until
from controller.dummy_switch import DummySwitch
from controller.state import NetworkState

ROOT = Path(__file__).parents[2]
REALISED_TIMEOUT_S = 20.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class ControllerProcess:
    """`python -m controller.app` for one API; `kill` and `start` again at will."""

    def __init__(self, framework: str, directory: Path, api: FakeApi) -> None:
        self.port = free_port()
        self.target = f"tcp:127.0.0.1:{self.port}"
        self._api = api
        self._log = directory / "controller.log"
        self._environment = {
            **os.environ,
            "MININETES_SDN": framework,
            "MININETES_RUN": str(directory),
            "PYTHONPATH": str(ROOT),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "controller.app", "--port", str(self.port)]
        self._api.observed = (0, {})
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, cwd=ROOT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_for(self, revision: int) -> Mapping[str, Any]:
        """What it says once it has realised the revision."""
        try:
            wait_until(
                lambda: self._api.observed[0] >= revision, REALISED_TIMEOUT_S, f"controller at revision {revision}"
            )
        except Timeout as late:
            raise AssertionError(f"{late}; observed {self._api.observed}\n{self.log}") from late
        return self._api.observed[1]


class Testbed:
    """Switches, API and controller together."""

    __test__ = False

    def __init__(self, framework: str, directory: Path, stack: ExitStack) -> None:
        self.api = stack.enter_context(FakeApi(directory / "api.sock"))
        self.switch = stack.enter_context(DummySwitch())
        self.controller = ControllerProcess(framework, directory, self.api)
        stack.callback(self.controller.kill)

    def start(self, state: NetworkState) -> None:
        self.switch.add_bridges(state, self.controller.target)
        self.controller.start()


@pytest.fixture(params=["ryu", "os-ken"])
def testbed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Testbed]:
    pytest.importorskip({"ryu": "ryu", "os-ken": "os_ken"}[request.param])
    with ExitStack() as stack:
        yield Testbed(request.param, tmp_path, stack)
