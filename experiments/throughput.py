"""bench throughput: TCP through the whole pipeline, beside a bridge of the same datapath that has one NORMAL flow.

All arms run at the same time, idle but for the one that is measured; every round measures each of them once.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cluster.model import IPAddress
from experiments import generated, iperf, isolated, paths, plain_bridge, private_ovs, statistics, testbed
from experiments.goals import Goal, Report
from experiments.statistics import Samples
from experiments.testbed import SANDBOX, Inventory, Machine, Testbed

NORMAL, ALONE = "normal_flow", "normal_flow_alone"
"""A bridge with one NORMAL flow, beside the testbed's bridges, and in an Open vSwitch that has no others."""
SAME_NODE, OVERLAY, DIRECT, HOSTS = "same_node", "overlay", "direct", "host_to_host"
_OF_NORMAL = 0.9
_USERSPACE_GBPS = 3.0


@dataclass(frozen=True, slots=True)
class Arm:
    """Two machines as command prefixes, and the server's address."""

    name: str
    server: Sequence[str]
    client: Sequence[str]
    address: IPAddress

    def gbps(self, seconds: int) -> float:
        return iperf.measure(self.server, self.client, self.address, iperf.Options(seconds=seconds)).gbps


def run(rounds: int, seconds: int, progress: Callable[[str], None]) -> Report:
    """Raises CommandError when an arm does not come up, IperfError when it carries nothing."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mininetes-bench-")))
        arms = _start(stack, directory)
        measured: list[dict[str, float]] = []
        for number in range(rounds):
            measured.append({arm.name: arm.gbps(seconds) for arm in arms})
            said = ", ".join(f"{name} {value:.2f}" for name, value in measured[-1].items())
            progress(f"round {number + 1} of {rounds}, Gbit/s: {said}")
    return report(statistics.by_arm(measured), private_ovs.datapath_type() != "system")


def _start(stack: ExitStack, directory: Path) -> list[Arm]:
    alone = stack.enter_context(isolated.ready("plain_bridge"))
    server, client = (alone.prefix(name) for name in (plain_bridge.SERVER, plain_bridge.CLIENT))
    arms = [Arm(ALONE, server, client, plain_bridge.SERVER_ADDRESS)]
    spec = generated.write(generated.for_throughput("overlay"), directory / "overlay.yaml")
    overlay = stack.enter_context(testbed.running(spec, "bench-overlay"))
    machines = overlay.inventory()
    arms.append(_normal_flow_beside(overlay))
    arms.append(_between_pods(SAME_NODE, paths.SAME_NODE, overlay, machines))
    arms.append(_between_pods(OVERLAY, paths.CROSS_NODE, overlay, machines))
    arms.append(_between(HOSTS, overlay, *machines.nodes[-2:]))
    spec = generated.write(generated.for_throughput("direct"), directory / "direct.yaml")
    direct = stack.enter_context(testbed.running(spec, "bench-direct"))
    arms.append(_between_pods(DIRECT, paths.CROSS_NODE, direct, direct.inventory()))
    return arms


def _normal_flow_beside(testbed: Testbed) -> Arm:
    testbed.exec(SANDBOX, sys.executable, "-m", "experiments.plain_bridge", plain_bridge.BESIDE)
    inside = testbed.prefix(SANDBOX)
    server, client = ((*inside, *plain_bridge.enter(name)) for name in (plain_bridge.SERVER, plain_bridge.CLIENT))
    return Arm(NORMAL, server, client, plain_bridge.SERVER_ADDRESS)


def _between_pods(name: str, kind: str, of: Testbed, machines: Inventory) -> Arm:
    path = next(path for path in paths.quick_look(machines, None) if path.kind == kind)
    return _between(name, of, path.client, path.server)


def _between(name: str, of: Testbed, client: Machine, server: Machine) -> Arm:
    return Arm(name, of.prefix(server.target), of.prefix(client.target), server.address(None))


def report(arms: Mapping[str, Samples], userspace: bool) -> Report:
    """The figures out of the samples, in Gbit/s."""
    of_normal = arms[SAME_NODE].over(arms[NORMAL])
    goals = [Goal("same node over one NORMAL flow", of_normal.median, "at least", _OF_NORMAL, "x")]
    if userspace:
        absolute = arms[SAME_NODE].median
        goals.append(Goal("same node, userspace datapath", absolute, "at least", _USERSPACE_GBPS, "Gbit/s"))
    ratios = {
        "same_node_over_normal_flow": of_normal,
        "same_node_over_normal_flow_alone": arms[SAME_NODE].over(arms[ALONE]),
        "overlay_over_host_to_host": arms[OVERLAY].over(arms[HOSTS]),
        "direct_over_host_to_host": arms[DIRECT].over(arms[HOSTS]),
    }
    raw = {**{f"{name}_gbps": samples.as_json() for name, samples in arms.items()},
           **{name: samples.as_json() for name, samples in ratios.items()}}  # fmt: skip
    return Report("throughput", tuple(goals), raw)
