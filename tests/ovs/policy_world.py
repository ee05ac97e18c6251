"""Switches that follow the objects of a cluster, change by change, as a testbed's would; asked about every pair."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "netpol"))

from cases import QUESTIONS, Case, Evolving, Key, differences

from cluster.model import Cluster
from cluster.objects import Object
from cluster.policy_oracle import Oracle
from cluster.reachability import Tables
from controller.asking import Asker
from controller.compiler import Compiler, compile
from controller.dummy_switch import DummySwitch, loaded
from controller.flow import Flow, FlowKey, FlowTable, Group
from controller.state import Change, NetworkState, apply, object_key


class PolicyWorld:
    def __init__(self, switch: DummySwitch, cluster: Cluster) -> None:
        self.switch = switch
        self.cluster = cluster
        self.state = NetworkState(cluster)
        self.compiler = Compiler(self.state)
        self._objects: dict[Key, Object] = {}

    def become(self, objects: Mapping[Key, Object]) -> None:
        """These objects and no others, by way of what is different."""
        changes = [Change(key[0], object_key(obj), None) for key, obj in self._objects.items() if key not in objects]
        changes += [
            Change(key[0], object_key(obj), obj) for key, obj in objects.items() if self._objects.get(key) != obj
        ]
        self._objects = dict(objects)
        before = {node: dict(table.flows) for node, table in self.compiler.tables.items()}
        groups = {node: dict(table.groups) for node, table in self.compiler.tables.items()}
        self.compiler.update(self.state, apply(self.state, changes))
        for node in self.cluster.nodes:
            self._send(node.bridge, before[node.name], groups[node.name], self.compiler.tables[node.name])
        # What the datapath had cached is judged again by threads of the switch's own.
        self.switch.control("revalidator/wait")

    def _send(self, bridge: str, flows: Mapping[FlowKey, Flow], groups: Mapping[int, Group], table: FlowTable) -> None:
        """The difference, in the order of a Switch."""
        for number, group in table.groups.items():
            if number not in groups:
                self.switch.ofctl("add-group", bridge, str(group))
        lines = [f"add {flow}" for key, flow in table.flows.items() if key not in flows]
        lines += [f"delete cookie={cookie:#x}/-1,table={number}" for number, cookie in flows.keys() - table.flows.keys()]
        if lines:
            self.switch.ofctl("add-flows", bridge, "-", text="\n".join(lines))
        for number in groups.keys() - table.groups.keys():
            self.switch.ofctl("del-groups", bridge, f"group_id={number}")

    def tables(self, questions: Iterable[tuple[str, int]], ip_version: int) -> Tables:
        """What the switches say of every pair."""
        asker, tables = Asker(self.switch, self.state, self.compiler), Tables()
        for protocol, port in questions:
            for source in self.state.pods.values():
                for target in self.state.pods.values():
                    reaches = asker.ask(source, target, protocol, port, ip_version).reaches
                    tables.put(f"{protocol}/{port}", source.key, target.key, reaches)
        return tables

    def check_from_scratch(self) -> None:
        """What was kept by difference is what would be compiled now."""
        scratch = compile(self.state)
        for node, table in self.compiler.tables.items():
            assert table.flows.keys() == scratch[node].flows.keys(), _unlike(table, scratch[node])

    def disagreements(self, questions: Iterable[tuple[str, int]], ip_version: int) -> list[str]:
        """Where the oracle says something else."""
        questions = list(questions)
        expected = Oracle(self._objects.values()).tables(questions, ip_version)
        return differences(expected.cells, self.tables(questions, ip_version))


def _unlike(one: FlowTable, other: FlowTable) -> str:
    kept = [f"kept: {flow}" for key, flow in one.flows.items() if key not in other.flows]
    return "\n".join([*kept, *(f"scratch: {flow}" for key, flow in other.flows.items() if key not in one.flows)])


@contextmanager
def policy_world(cluster: Cluster) -> Iterator[PolicyWorld]:
    empty = NetworkState(cluster)
    with loaded(empty, Compiler(empty).tables) as switch:
        yield PolicyWorld(switch, cluster)


def run(case: Case, world: PolicyWorld, objects: Mapping[Key, Object]) -> None:
    """Every step of a case, on switches that hold what the step before left."""
    evolving = Evolving(objects, world.cluster)
    for step in case.steps:
        evolving.do(step.actions)
        world.become(evolving.objects)
        wrong = differences(step.expected(evolving.objects.values()), world.tables(QUESTIONS, 4))
        assert not wrong, f"{step.name}:\n" + "\n".join(wrong)
        world.check_from_scratch()
