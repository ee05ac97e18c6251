"""Every command of the README's `sh` blocks runs, in the order given, with the testbed that they start."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from topo import sandbox

ROOT = Path(__file__).resolve().parents[2]
NAME = f"readme-{os.getpid()}"


def commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]


def run(command: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "MININETES_NAME": NAME}
    return subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180
    )


def test_every_command_of_the_readme_runs() -> None:
    try:
        for command in commands():
            result = run(command)
            if result.returncode == 3:
                pytest.skip(f"this machine lacks something: {result.stderr}")
            assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    finally:
        testbed = sandbox.Testbed(NAME)
        if testbed.directory.exists():
            sandbox.stop(testbed)


def test_every_subcommand_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"mininetes ([a-z]+)\b", " ".join(commands())))
    offered = run("mininetes --help").stdout
    assert named, "the README shows no command"
    assert all(re.search(rf"^  {name}\b", offered, re.MULTILINE) for name in named), offered


def test_make_run_shows_the_network_and_ends_by_itself() -> None:
    result = subprocess.run(
        ["make", "run"], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for shown in ("NODE", "ADDRESSES", "pairs reach", "same-node", "cross-node", "Gbit/s"):
        assert shown in result.stdout, result.stdout
