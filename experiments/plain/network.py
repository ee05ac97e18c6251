"""A plain data plane that runs, with the small interface of a testbed: `prefix`, `exec`, `inventory`, `process_id`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from experiments import isolated, testbed
from experiments.isolated import Isolated
from experiments.plain import planned
from experiments.plain.planned import Planned
from experiments.testbed import Inventory, Machine


@dataclass(frozen=True)
class Plain:
    """Its machines are namespaces with nothing in them: who wants a server starts one."""

    isolated: Isolated
    planned: Planned

    def prefix(self, target: str) -> tuple[str, ...]:
        """What to put before a command so that it runs in a machine. Raises NoTestbedError."""
        pods = {pod.target: pod.netns for pod in self.planned.pods}
        machine = self.inventory().find(target)
        return self.isolated.prefix(pods.get(machine.target, machine.node))

    def exec(self, target: str, *command: str) -> str:
        return testbed.output_of((*self.prefix(target), *command))

    def process_id(self) -> int:
        """Its sandbox's PID 1, as the host numbers it."""
        return self.isolated.pid

    def inventory(self) -> Inventory:
        nodes = [Machine(f"node/{node.name}", node.name, node.addresses) for node in self.planned.cluster.nodes]
        pods = [Machine(pod.target, pod.node, pod.addresses) for pod in self.planned.pods]
        return Inventory(tuple(nodes), tuple(pods))


@contextmanager
def running(spec: Path) -> Iterator[Plain]:
    """Raises SpecError, and CommandError with what was said when it does not come up."""
    wanted = planned.load(str(spec))
    with isolated.ready("plain.build", str(spec)) as inside:
        yield Plain(inside, wanted)
