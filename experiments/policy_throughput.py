"""What NetworkPolicies cost the packets that they allow: two testbeds side by side, one with policies around its pods, and
the arms take turns.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

from experiments import bulk, connections, generated, hands, iperf, many_policies, paths, statistics, testbed
from experiments.hands import Hand
from experiments.iperf import FIRST_PORT
from experiments.statistics import Samples
from experiments.testbed import CommandError, Testbed

KINDS: Mapping[str, str] = {"same_node": paths.SAME_NODE, "cross_node": paths.CROSS_NODE}
FREE, GUARDED = "free", "guarded"
_APP = "pod"
_CONNECT_PORT = FIRST_PORT + 99
_PORTS = range(FIRST_PORT, _CONNECT_PORT + 1)
_TURNS = 25
"""In a round: short ones, so that what else the machine does hits both arms."""
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
        clients: dict[str, _Client] = {}
        for arm, expected in ((FREE, 0), (GUARDED, policies)):
            for kind, path in _paths(arms[arm]).items():
                _check(arms[arm], path, expected)
                clients[f"{kind}_{arm}"] = _client(stack, arms[arm], path)
        measured: list[dict[str, float]] = []
        for number in range(rounds):
            measured.append(_round(clients, seconds))
            said = ", ".join(f"{name} {value:.3g}" for name, value in measured[-1].items())
            progress(f"packets, round {number + 1} of {rounds}: {said}")
    return measured


@dataclass(frozen=True, slots=True)
class _Client:
    """Somebody in a pod, and the address of who answers in another."""

    hand: Hand
    server: str

    def gbps(self) -> Sequence[float]:
        options = iperf.Options(size_bytes=iperf.SHORT_BYTES)
        return [iperf.ask(self.hand, self.server, FIRST_PORT, options).gbps]

    def per_second(self, seconds: float) -> Sequence[float]:
        """Each connection's first packet is judged."""
        return [connections.per_second(self.hand, self.server, _CONNECT_PORT, seconds)]


def _client(stack: ExitStack, running: Testbed, path: paths.Path) -> _Client:
    """With servers at the other end."""
    address, inside = path.server.address(None), running.prefix(path.server.target)
    iperf.serve(stack.enter_context(hands.in_machine(path.server.target, inside)), address)
    stack.enter_context(connections.served(inside, str(address), _CONNECT_PORT))
    client = hands.in_machine(path.client.target, running.prefix(path.client.target))
    return _Client(stack.enter_context(client), str(address))


def _round(clients: Mapping[str, _Client], seconds: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for kind in KINDS:
        arms = {name: client for name, client in clients.items() if name.startswith(kind)}
        turns: dict[str, Callable[[], Sequence[float]]] = {
            **{f"{name}_gbps": client.gbps for name, client in arms.items()},
            **{f"{name}_per_s": partial(client.per_second, seconds / _TURNS) for name, client in arms.items()},
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
