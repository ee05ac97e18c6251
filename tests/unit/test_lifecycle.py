"""topo/commands/lifecycle.py: what `up` waits for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.problems import NoTestbedError
from topo.commands import lifecycle


@dataclass(frozen=True, slots=True)
class Slow:
    """A testbed whose API server has not come as far as to its socket."""

    directory: Path
    alive: bool = True
    name: str = "slow"

    @property
    def api_socket(self) -> Path:
        return self.directory / "api.sock"


def test_an_api_server_that_does_not_answer_yet_is_missing(tmp_path: Path) -> None:
    missing = lifecycle._wait(Slow(tmp_path), 1.2, quiet=True)  # type: ignore[arg-type]
    assert [each.subject for each in missing] == ["api"]


def test_one_whose_testbed_has_ended_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(NoTestbedError, match="'slow' has ended"):
        lifecycle._wait(Slow(tmp_path, alive=False), 60, quiet=True)  # type: ignore[arg-type]
