"""What `make run` shows: a testbed from a spec, who reaches whom, how fast, or, where the spec has clients outside, how
these reach it; then its prompt, or its end.

Run as: python -m experiments.quickstart [SPEC]. The testbed is taken down whatever happens.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from experiments.testbed import MININETES, Testbed, end, exit_on_sigterm, fresh_name

_SPEC = Path(__file__).resolve().parents[1] / "cluster_specs" / "quickstart.yaml"


def main(spec: Path = _SPEC) -> int:
    """The first failing step's exit status, told on standard error; else 0."""
    testbed = Testbed(fresh_name("quickstart"))
    exit_on_sigterm()
    try:
        status = _run((*testbed.argv("up"), "-f", str(spec)))
        if status != 0:
            return status
        for step in _steps(testbed):
            status = _run(step)
            if status != 0:
                return status
        return 0
    finally:
        end(str(testbed.name))


def _steps(testbed: Testbed) -> list[tuple[str, ...]]:
    has_clients = bool(json.loads(testbed.output("status", "-o", "json"))["clients"])
    steps = [testbed.argv("outside")] if has_clients else [testbed.argv("matrix"), testbed.argv("perf")]
    return [*steps, testbed.argv("cli")] if sys.stdin.isatty() and sys.stdout.isatty() else steps


def _run(step: tuple[str, ...]) -> int:
    shown = " ".join(("mininetes", *step[len(MININETES) :]))
    print(f"\n$ {shown}", flush=True)
    status = subprocess.run(step).returncode
    if status != 0:
        print(f"quickstart: {shown} failed with exit status {status}; its reason is above", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
