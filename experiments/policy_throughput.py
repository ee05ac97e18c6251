"""What NetworkPolicies cost the packets that they allow: two testbeds side by side, one with policies around its pods, and
the arms take turns.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import fmean

from experiments import bulk, connections, generated, iperf, many_policies, paths, statistics, testbed
from experiments.iperf import FIRST_PORT
from experiments.statistics import Samples
from experiments.testbed import CommandError, Testbed

KINDS: Mapping[str, str] = {"same_node": paths.SAME_NODE, "cross_node": paths.CROSS_NODE}
FREE, GUARDED = "free", "guarded"
_APP = "pod"
_CONNECT_PORT = FIRST_PORT + 99
_PORTS = range(FIRST_PORT, _CONNECT_PORT + 1)
_TURNS = 4
"""In a round; each arm is measured for so many times the given seconds."""
_PATIENCE_S = 120.0


def run(rounds: int, seconds: int, policies: int, progress: Callable[[str], None]) -> list[dict[str, float]]:
    """Gbit/s and connections a second of each round. Raises CommandError when an arm does not come up, or its policies
    are not in force.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mininetes-bench-")))
        spec = generated.write(generated.for_throughput("overlay"), directory / "spec.yaml")
        arms = {arm: stack.enter_context(testbed.running(spec, f"bench-{arm}")) for arm in (FREE, GUARDED)}
        api = bulk.client_of(arms[GUARDED])
        api.wait_realised("controller", bulk.apply(api, many_policies.around(_APP, policies, _PORTS)), _PATIENCE_S)
        chosen = {arm: _paths(running) for arm, running in arms.items()}
        for arm, expected in ((FREE, 0), (GUARDED, policies)):
            for path in chosen[arm].values():
                _check(arms[arm], path, expected)
        measured: list[dict[str, float]] = []
        for number in range(rounds):
            measured.append(_round(arms, chosen, seconds))
            said = ", ".join(f"{name} {value:.3g}" for name, value in measured[-1].items())
            progress(f"packets, round {number + 1} of {rounds}: {said}")
    return measured


def _round(
    arms: Mapping[str, Testbed], chosen: Mapping[str, Mapping[str, paths.Path]], seconds: int
) -> dict[str, float]:  # fmt: skip
    found: dict[str, float] = {}
    for unit, measure in (("gbps", _gbps), ("per_s", _per_second)):
        for kind in KINDS:
            turns = {
                f"{kind}_{arm}_{unit}": partial(measure, running, chosen[arm][kind], seconds)
                for arm, running in arms.items()
            }
            found |= {name: fmean(of_turns) for name, of_turns in statistics.in_turn(_TURNS, turns).items()}
    return found


def ratios(arms: Mapping[str, Samples], unit: str) -> dict[str, Samples]:
    """With policies over without, by kind of path."""
    return {kind: arms[f"{kind}_{GUARDED}_{unit}"].over(arms[f"{kind}_{FREE}_{unit}"]) for kind in KINDS}


def _paths(running: Testbed) -> dict[str, paths.Path]:
    found = paths.quick_look(running.inventory(), None)
    return {name: next(path for path in found if path.kind == kind) for name, kind in KINDS.items()}


def _check(running: Testbed, path: paths.Path, policies: int) -> None:
    """Both pods are isolated by all policies, and a rule lets their packets pass."""
    asked = (path.client.target, path.server.target, "--port", str(FIRST_PORT), "-o", "json")
    judged = json.loads(running.output("trace", *asked))["policies"]
    for each in judged:
        if len(each["isolated_by"]) != policies or bool(each["rules"]) != bool(policies) or not each["allowed"]:
            raise CommandError(f"{running.name}: must be isolated by {policies} policies and allowed: {each['said']}")


def _gbps(running: Testbed, path: paths.Path, seconds: int) -> Sequence[float]:
    server, client = running.prefix(path.server.target), running.prefix(path.client.target)
    return [iperf.measure(server, client, path.server.address(None), iperf.Options(seconds=seconds)).gbps]


def _per_second(running: Testbed, path: paths.Path, seconds: int) -> Sequence[float]:
    """Each connection's first packet is judged."""
    address = str(path.server.address(None))
    with connections.served(running.prefix(path.server.target), address, _CONNECT_PORT):
        return [connections.per_second(running.prefix(path.client.target), address, _CONNECT_PORT, seconds)]
