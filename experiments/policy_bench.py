"""bench policy: what NetworkPolicies cost to compile, how many flows they are, and what one relabelled pod changes.

The controller's code is measured in processes of its own (`controller.policy_figures`), so that memory is its alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from experiments import statistics
from experiments.goals import Goal, Report
from experiments.statistics import Samples
from experiments.testbed import CommandError

SMALL_PODS, PODS = 100, 5_000
SOURCES = DESTINATIONS = 250
PORTS = 10
_FLOWS, _COMPILE_S, _MEMORY_GB, _RELABEL_MS, _GROWTH = 600, 10.0, 1.0, 20.0, 1.5

Progress = Callable[[str], None]


def run(rounds: int, pods: int, progress: Progress) -> Report:
    """Raises CommandError when a measurement fails."""
    product = _figures("product", SOURCES, DESTINATIONS, PORTS)
    measured = []
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}")
        measured.append(_round(pods))
        progress("  " + ", ".join(f"{arm} {value:.3g}" for arm, value in measured[-1].items()))
    return report(product, statistics.by_arm(measured), pods)


def _round(pods: int) -> dict[str, float]:
    small, large = _figures("scale", SMALL_PODS), _figures("scale", pods)
    return {
        "compile_s": large["compile_s"],
        "memory_bytes": float(large["memory_bytes"]),
        "flows": float(large["flows"]),
        "relabel_ms": Samples(tuple(large["relabel_ms"])).median,
        "relabel_max_ms": max(large["relabel_ms"]),
        "small_relabel_ms": Samples(tuple(small["relabel_ms"])).median,
        "relabel_flows": Samples(tuple(map(float, large["relabel_flows"]))).median,
    }


def _figures(*arguments: object) -> Mapping[str, Any]:
    command = [sys.executable, "-m", "controller.policy_figures", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise CommandError(f"{' '.join(command)}: {done.stderr.strip()}")
    figures: Mapping[str, Any] = json.loads(done.stdout)
    return figures


def report(product: Mapping[str, Any], arms: Mapping[str, Samples], pods: int) -> Report:
    growth = arms["relabel_ms"].over(arms["small_relabel_ms"])
    of = f"{SOURCES} sources x {DESTINATIONS} destinations x {PORTS} ports"
    goals: Sequence[Goal] = (
        Goal(f"flows: {of}", product["flows"], "at most", _FLOWS, "flows"),
        Goal(f"compile {pods} pods", arms["compile_s"].median, "at most", _COMPILE_S, "s"),
        Goal(f"memory with {pods} pods", arms["memory_bytes"].median / 1e9, "at most", _MEMORY_GB, "GB"),
        Goal("one relabelled pod, slowest", arms["relabel_max_ms"].median, "at most", _RELABEL_MS, "ms"),
        Goal(f"relabelled: t({pods}) over t({SMALL_PODS})", growth.median, "at most", _GROWTH, "x"),
    )
    raw: dict[str, Any] = {name: samples.as_json() for name, samples in {**arms, "growth": growth}.items()}
    return Report("policy", tuple(goals), {**raw, "product": dict(product), "pods": pods})
