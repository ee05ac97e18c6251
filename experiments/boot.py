"""bench boot: how long a testbed takes to come up and go, and what it weighs, beside its floor and its peer.

Up is from the start of `mininetes up` to its return: every pod Ready, every switch in sync. Every round has every
arm, and each arm begins when the machine has calmed down from the one before.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from experiments import generated, isolated, memory, peer, statistics, testbed
from experiments.generated import Size
from experiments.goals import Goal, Report
from experiments.statistics import Samples

LARGE = Size(nodes=100, pods_per_node=20)
SCALE_DOWN = 10
"""The small arm has a tenth of the pods on as many nodes; t(large)/t(small) tells whether time grows with pods."""
_OVER_FLOOR, _PEER_FACTOR, _MEMORY_OVER_FLOOR, _GROWTH = 2.0, 10.0, 1.5, 12.0
_PODS_PER_DOWN_SECOND = 500

Progress = Callable[[str], None]


def small(size: Size) -> Size:
    return Size(size.nodes, max(1, size.pods_per_node // SCALE_DOWN))


def run(size: Size, rounds: int, peer_hosts: int, large: Size | None, progress: Progress) -> Report:
    """Raises CommandError when an arm does not even come up."""
    measured: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="mininetes-bench-") as directory:
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}")
            measured.append(_round(size, peer_hosts, Path(directory)))
            progress("  " + ", ".join(f"{arm} {value:.3g}" for arm, value in measured[-1].items() if arm[-2:] == "_s"))
        outcome = _large(large, Path(directory), progress) if large is not None else None
    return report(size, peer_hosts, statistics.by_arm(measured), outcome)


def _round(size: Size, peer_hosts: int, directory: Path) -> dict[str, float]:
    """Times in seconds, memory in bytes."""
    result: dict[str, float] = {}
    for label, of in (("", size), ("small_", small(size))):
        for arm, measure in (("ours", _ours), ("floor", _floor)):
            result |= {f"{label}{arm}_{key}": value for key, value in measure(of, directory).items()}
    memory.settled_bytes()
    result["peer_up_s"] = peer.build_time_s(peer_hosts)
    return result


def _ours(size: Size, directory: Path) -> dict[str, float]:
    spec = generated.write(generated.of_size(size), directory / "spec.yaml")
    name = testbed.fresh_name("bench-boot")
    before = memory.settled_bytes()
    try:
        began = time.monotonic()
        testbed.start(spec, name)
        up_s = time.monotonic() - began
        used = memory.settled_bytes() - before
        began = time.monotonic()
        testbed.output_of((*testbed.MININETES, "down", name))
        return {"up_s": up_s, "memory_bytes": used, "down_s": time.monotonic() - began}
    finally:
        testbed.end(name)


def _floor(size: Size, _directory: Path) -> dict[str, float]:
    before = memory.settled_bytes()
    began = time.monotonic()
    # One node more, without pods: the control plane's.
    with isolated.ready("floor", str(size.nodes + 1), str(size.nodes), str(size.pods_per_node)):
        up_s = time.monotonic() - began
        return {"up_s": up_s, "memory_bytes": memory.settled_bytes() - before}


def _large(size: Size, directory: Path, progress: Progress) -> dict[str, Any]:
    """Start a large testbed and have every node reach every node, with every pod on both sides.

    All pairs of 2,000 pods would be four million connections; which way a packet takes depends on the two nodes and
    on the pod at either end, and these pairs have them all.
    """
    progress(f"{size.nodes} nodes x {size.pods_per_node} pods")
    spec = generated.write(generated.of_size(size), directory / "large.yaml")
    memory.settled_bytes()
    began = time.monotonic()
    with testbed.running(spec, "bench-large") as large:
        up_s = time.monotonic() - began
        pods = len(generated.servers(large.inventory()))
        table = json.loads(large.output("matrix", "--cover", "-o", "json"))["tables"]["any"]
    reached = [answered for peers in table.values() for answered in peers.values()]
    return {"up_s": up_s, "pods": pods, "expected_pods": size.pods, "pairs": len(reached), "reached": sum(reached)}


def report(size: Size, peer_hosts: int, arms: Mapping[str, Samples], large: Mapping[str, Any] | None) -> Report:
    """The figures out of the samples. Arms as `_round` names them."""
    less = size.pods - small(size).pods
    ours_per_pod = arms["ours_memory_bytes"].minus(arms["small_ours_memory_bytes"]).scaled(1 / max(less, 1))
    floor_per_pod = arms["floor_memory_bytes"].minus(arms["small_floor_memory_bytes"]).scaled(1 / max(less, 1))
    peer_per_host = arms["peer_up_s"].scaled(1 / peer_hosts)
    factor = peer_per_host.over(arms["ours_up_s"].scaled(1 / size.pods))
    growth = arms["ours_up_s"].over(arms["small_ours_up_s"])
    over_floor = arms["ours_up_s"].over(arms["floor_up_s"])
    # Memory by medians and not round by round: one other process's growth would make a ratio of nothing.
    weight = ours_per_pod.median / floor_per_pod.median if floor_per_pod.median else 0.0
    goals = [
        Goal("up over floor", over_floor.median, "at most", _OVER_FLOOR, "x"),
        Goal("stock Mininet per host over ours per pod", factor.median, "at least", _PEER_FACTOR, "x"),
        Goal("down", arms["ours_down_s"].median, "at most", max(1.0, size.pods / _PODS_PER_DOWN_SECOND), "s"),
        Goal("memory per pod over floor", weight, "at most", _MEMORY_OVER_FLOOR, "x"),
        Goal(f"t({size.pods}) over t({small(size).pods})", growth.median, "at most", _GROWTH, "x"),
    ]
    if large is not None:
        goals.append(Goal("large: pods up", large["pods"], "at least", large["expected_pods"], "pods"))
        goals.append(Goal("large: pairs that reach each other", large["reached"], "at least", large["pairs"], "pairs"))
    derived = {
        "up_over_floor": over_floor, "peer_over_ours": factor, "growth": growth,
        "ours_memory_bytes_per_pod": ours_per_pod, "floor_memory_bytes_per_pod": floor_per_pod,
    }  # fmt: skip
    raw: dict[str, Any] = {name: samples.as_json() for name, samples in {**arms, **derived}.items()}
    raw |= {"nodes": size.nodes, "pods": size.pods, "peer_hosts": peer_hosts, "large": large}
    return Report("boot", tuple(goals), raw)
