"""The benchmarks run and answer in their form. How fast things are is no matter of a test: it needs a calm machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any

import pytest

ROUND_KEYS = {"samples", "min", "median"}


def bench(*arguments: str) -> dict[str, Any]:
    """The JSON answer; its exit status says whether every goal held."""
    argv = [sys.executable, "-m", "cluster.commands", "bench", *arguments, "-o", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if all(goal["holds"] for goal in answer["goals"]) else 1), done.stderr
    return answer


def check_form(answer: dict[str, Any], name: str, samples: set[str]) -> None:
    assert answer["bench"] == name
    for goal in answer["goals"]:
        assert set(goal) == {"id", "value", "goal", "direction", "unit", "holds"}
    for key in samples:
        assert set(answer["raw"][key]) == ROUND_KEYS, key
        assert len(answer["raw"][key]["samples"]) == 1


@pytest.mark.skipif(shutil.which("mn") is None, reason="no mn")
def test_boot() -> None:
    answer = bench("boot", "--nodes", "2", "--pods-per-node", "4", "--peer-hosts", "2", "--rounds", "1")
    check_form(answer, "boot", {"ours_up_s", "ours_down_s", "ours_memory_bytes", "floor_up_s", "peer_up_s"})
    assert (answer["raw"]["nodes"], answer["raw"]["pods"]) == (2, 8)
    assert all(answer["raw"][key]["min"] > 0 for key in ("ours_up_s", "ours_down_s", "floor_up_s", "peer_up_s"))


@pytest.mark.skipif(shutil.which("iperf3") is None, reason="no iperf3")
def test_throughput() -> None:
    answer = bench("throughput", "--rounds", "1", "--time", "1")
    names = ("normal_flow", "normal_flow_alone", "same_node", "overlay", "direct", "host_to_host")
    arms = {f"{name}_gbps" for name in names}
    check_form(answer, "throughput", arms)
    assert all(answer["raw"][arm]["min"] > 0 for arm in arms)


def test_api() -> None:
    answer = bench("api", "--rounds", "1", "--objects", "2000", "--no-scale")
    check_form(answer, "api", {"create_s", "list_s", "delivery_p99_s", "writes_per_s", "memory_bytes", "floor_create_s"})
    assert answer["raw"]["objects"] == 2000
    assert answer["raw"]["scale"] is None
