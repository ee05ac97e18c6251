"""bench programming: how fast the switches follow the API, with few Services and with many, and with many NetworkPolicies.

Loading: controller and flows of every switch are taken away; time from the new controller's start to the last flow,
beside `ovs-ofctl --bundle` with the same flows. Changes: from a write of the API to the last switch's barrier, of
endpoints here, of policies and pods' labels in `policy_programming`.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

from cluster.client import Client
from experiments import bulk, generated, many_services, policy_programming, testbed
from experiments.goals import Goal, Report
from experiments.testbed import SANDBOX

WORKERS, ENDPOINTS = 4, 2
FEW = 10
POLICIES = 1000
_LOAD_S, _OVER_FLOOR, _P99_MS, _MESSAGES, _MEMORY_BYTES = 10.0, 3.0, 100.0, 4.0, 1e9
_PATIENCE_S = 120.0
_SEED = 1


def _addresses(chance: random.Random) -> Sequence[str]:
    """Of pods on different nodes, which need not exist: flows are what is measured."""
    return [f"10.244.{node}.{chance.randrange(2, 250)}" for node in chance.sample(range(1, WORKERS + 1), ENDPOINTS)]


def run(services: int, policies: int, changes: int, progress: Callable[[str], None]) -> Report:
    """Raises CommandError when the testbed does not come up."""
    chance = random.Random(_SEED)
    with tempfile.TemporaryDirectory(prefix="mininetes-bench-") as directory:
        spec = Path(directory) / "spec.yaml"
        generated.write([generated.cluster("programming", WORKERS)], spec)
        with testbed.running(spec, "bench-programming") as running:
            client = bulk.client_of(running)
            _add(client, 0, FEW, chance)
            few = _changes(client, FEW, max(changes // 10, 20), chance)
            progress(f"{FEW} Services: p50 {_percentile(few['ms'], 50):.1f} ms, {few['messages']:.2f} messages a change")
            began = time.monotonic()
            _add(client, FEW, services, chance)
            progress(f"{services} Services after {time.monotonic() - began:.1f} s")
            load = json.loads(running.exec(SANDBOX, sys.executable, "-m", "experiments.switch_load"))
            progress(f"loaded in {load['installed_s']:.2f} s, by ovs-ofctl in {load['floor_s']:.2f} s")
            many = _changes(client, services, changes, chance)
    guarded = policy_programming.run(WORKERS, policies, changes, progress)
    return report(services, few, many, load, policies, guarded)


def _add(client: Client, start: int, end: int, chance: random.Random) -> None:
    objects = (
        made for number in range(start, end)
        for made in (many_services.service(number), many_services.endpoints(number, _addresses(chance)))
    )  # fmt: skip
    client.wait_realised("controller", many_services.apply(client, objects), _PATIENCE_S)


def _messages(client: Client) -> tuple[int, int]:
    detail = client.sync(_PATIENCE_S)["observed"]["controller"]["detail"]
    return int(detail["flow_mods_sent"]), len(detail["nodes"])


def _changes(client: Client, services: int, count: int, chance: random.Random) -> dict[str, Any]:
    """One endpoint of one Service at a time: {"ms": of each, "messages": per change and node}."""
    before, nodes = _messages(client)
    samples = []
    for _ in range(count):
        changed = many_services.endpoints(chance.randrange(services), _addresses(chance))
        began = time.perf_counter()
        client.wait_realised("controller", client.apply([changed]), _PATIENCE_S)
        samples.append((time.perf_counter() - began) * 1000)
    after, _ = _messages(client)
    return {"ms": samples, "messages": (after - before) / count / nodes}


def _percentile(samples: Sequence[float], percent: int) -> float:
    return quantiles(samples, n=100)[percent - 1]


def report(
    services: int, few: dict[str, Any], many: dict[str, Any], load: dict[str, Any], policies: int,
    guarded: Mapping[str, Mapping[str, Sequence[float]]],
) -> Report:  # fmt: skip
    """`few` and `many` as `_changes`, `load` as `switch_load` answers, `guarded` as `policy_programming` measures."""
    goals = (
        Goal("all flows after the controller's start", load["installed_s"], "at most", _LOAD_S, "s"),
        Goal("load over ovs-ofctl --bundle", load["installed_s"] / load["floor_s"], "at most", _OVER_FLOOR, "x"),
        Goal("API write to last barrier, p99", _percentile(many["ms"], 99), "at most", _P99_MS, "ms"),
        Goal("messages per change and node", many["messages"], "at most", _MESSAGES, "messages"),
        Goal("messages, many Services over few", many["messages"] / few["messages"], "at most", 1.1, "x"),
        Goal("controller memory", load["memory_bytes"], "at most", _MEMORY_BYTES, "B"),
        *(
            Goal(f"{policies} policies, {kind}: API write to last barrier, p99", _percentile(samples["ms"], 99), "at most",
                 _P99_MS, "ms") for kind, samples in guarded.items()
        ),
    )  # fmt: skip
    raw = {"services": services, "few": few, "many": many, "load": load, "policies": policies, "guarded": guarded}
    return Report("programming", goals, raw)
