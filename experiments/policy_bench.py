"""bench policy: what NetworkPolicies cost to compile, how many flows they are, what one relabelled pod changes, and what
they cost the packets that they allow.

The controller's code is measured in processes of its own (`controller.policy_figures`), so that memory is its alone;
packets in testbeds (`policy_throughput`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from experiments import policy_throughput, statistics
from experiments.goals import Goal, Report
from experiments.statistics import Samples
from experiments.testbed import CommandError

SMALL_PODS, PODS = 100, 5_000
SOURCES = DESTINATIONS = 250
PORTS = 10
POLICIES = 1000
"""Around the pods whose throughput is measured."""
_FLOWS, _COMPILE_S, _MEMORY_GB, _RELABEL_MS, _GROWTH, _THROUGHPUT = 600, 10.0, 1.0, 20.0, 1.5, 0.95

Progress = Callable[[str], None]


def run(rounds: int, seconds: int, pods: int, policies: int, progress: Progress) -> Report:
    """Raises CommandError when a measurement fails."""
    product = _figures("product", SOURCES, DESTINATIONS, PORTS)
    measured = []
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}")
        measured.append(_round(pods))
        progress("  " + ", ".join(f"{arm} {value:.3g}" for arm, value in measured[-1].items()))
    packets = policy_throughput.run(rounds, seconds, policies, progress)
    return report(product, statistics.by_arm(measured), statistics.by_arm(packets), pods, policies)


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


def report(
    product: Mapping[str, Any], arms: Mapping[str, Samples], packets: Mapping[str, Samples], pods: int, policies: int
) -> Report:
    """`arms` as `_round`, `packets` as `policy_throughput.run` measures them."""
    throughput = policy_throughput.ratios(packets, "gbps")
    rate = policy_throughput.ratios(packets, "per_s")
    growth = arms["relabel_ms"].over(arms["small_relabel_ms"])
    of = f"{SOURCES} sources x {DESTINATIONS} destinations x {PORTS} ports"
    goals: Sequence[Goal] = (
        Goal(f"flows: {of}", product["flows"], "at most", _FLOWS, "flows"),
        Goal(f"compile {pods} pods", arms["compile_s"].median, "at most", _COMPILE_S, "s"),
        Goal(f"memory with {pods} pods", arms["memory_bytes"].median / 1e9, "at most", _MEMORY_GB, "GB"),
        Goal("one relabelled pod, slowest", arms["relabel_max_ms"].median, "at most", _RELABEL_MS, "ms"),
        Goal(f"relabelled: t({pods}) over t({SMALL_PODS})", growth.median, "at most", _GROWTH, "x"),
        *(
            Goal(f"throughput with {policies} policies over without, {kind.replace('_', ' ')}", ratio.median, "at least",
                 _THROUGHPUT, "x") for kind, ratio in throughput.items()
        ),
    )  # fmt: skip
    ratios = {f"{kind}_throughput": ratio for kind, ratio in throughput.items()}
    ratios |= {f"{kind}_connections": ratio for kind, ratio in rate.items()} | {"growth": growth}
    raw: dict[str, Any] = {name: samples.as_json() for name, samples in {**arms, **packets, **ratios}.items()}
    return Report("policy", tuple(goals), {**raw, "product": dict(product), "pods": pods, "policies": policies})
