"""What `mininetes fault` says in annotations, and what is done about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.model import LinkShape
from cluster.reading.config import resolve
from topo import cables, fault_keeper, faults
from topo.cables import Cables
from topo.fault_keeper import FaultKeeper

CLUSTER = resolve({"apiVersion": "mininetes.dev/v1alpha1", "kind": "Cluster", "underlay": {
    "topology": "star", "links": [{"a": "worker", "b": "s1", "bandwidth": "100Mbit"}],
}})  # fmt: skip
SLOW = LinkShape(bandwidth_mbps=10)


class Kernel:
    """Remembers what was asked of it, with the network namespace in which that was."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.place = "root"

    @contextmanager
    def visit(self, name: str) -> Iterator[None]:
        self.place = name
        yield
        self.place = "root"

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, messages: Any) -> None:
        self.asked += [f"{self.place}: {message.purpose}" for message in messages]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    for module in (cables, fault_keeper):
        monkeypatch.setattr(module.netlink, "Socket", lambda: kernel)
    monkeypatch.setattr(fault_keeper.namespaces, "visit_pinned", kernel.visit)
    return kernel


class Interface:
    def __init__(self, name: str, node: str, shapes: list[tuple[str, LinkShape]]) -> None:
        self.name, self.node, self._shapes = name, SimpleNamespace(name=node), shapes

    def reshape(self, shape: LinkShape) -> None:
        self._shapes.append((f"{self.node.name}:{self.name}", shape))


def keeper(run: Path, shapes: list[tuple[str, LinkShape]] | None = None) -> FaultKeeper:
    made: list[tuple[str, LinkShape]] = [] if shapes is None else shapes
    links = [
        SimpleNamespace(intf1=Interface("eth0", link.a, made), intf2=Interface(f"s1-eth{number}", "s1", made))
        for number, link in enumerate(CLUSTER.underlay.links, 1)
    ]
    return FaultKeeper(run, CLUSTER, SimpleNamespace(links=links), Cables())  # type: ignore[arg-type]


def node(*annotations: tuple[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": "control-plane", "annotations": dict(annotations)}}


def test_what_is_said_is_what_was_meant() -> None:
    said = dict([faults.cut("worker", "s1"), faults.shaped("worker2", "s1", SLOW), faults.partitioned([["b", "a"], ["c"]])])
    found = faults.of(said)
    assert found.down == {frozenset(("worker", "s1"))}
    assert found.shapes == {(frozenset(("worker2", "s1")), SLOW)}
    assert found.unreachable("a") == found.unreachable("b") == {"c"}
    assert found.unreachable("c") == {"a", "b"}
    assert found.unreachable("d") == frozenset()


def test_the_order_of_names_does_not_matter() -> None:
    assert faults.cut("worker", "s1") == faults.cut("s1", "worker")
    assert faults.partitioned([["a", "b"], ["c"]]) == faults.partitioned([["c"], ["b", "a"]])
    assert faults.cut("a", "b")[0] != faults.shaped("a", "b", SLOW)[0]


def test_other_annotations_are_none_of_ours() -> None:
    assert faults.told({"metadata": {"annotations": {"mininetes.dev/power": "off"}}}) == {}


def test_a_link_is_cut_at_the_switchs_end_and_mended(kernel: Kernel, tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    kept.take([node()])
    assert kernel.asked == []
    kept.take([node(faults.cut("worker", "s1"))])
    kept.take([node(faults.cut("worker", "s1"))])
    assert len(kernel.asked) == 1
    assert "s1-eth2" in kernel.asked[0]
    kept.take([node()])
    assert len(kernel.asked) == 2


def test_a_cable_that_two_want_cut_is_mended_when_neither_does(monkeypatch: pytest.MonkeyPatch, kernel: Kernel) -> None:
    states: list[bool] = []
    monkeypatch.setattr(cables.netlink, "set_link", lambda _index, name, up, down: states.append(up))
    kernel.run = list  # type: ignore[assignment,method-assign]
    both = Cables()
    for reason, cut in (("power", True), ("fault", True), ("power", False), ("fault", False)):
        both.set("s1-eth1", reason, cut)
    assert states == [False, False, False, True]


def test_a_shape_stands_until_it_is_mended_then_the_specs(kernel: Kernel, tmp_path: Path) -> None:
    shapes: list[tuple[str, LinkShape]] = []
    kept = keeper(tmp_path, shapes)
    kept.take([node(faults.shaped("worker", "s1", SLOW))])
    kept.take([node()])
    spec = LinkShape(bandwidth_mbps=100)
    assert shapes == [("worker:eth0", SLOW), ("s1:s1-eth2", SLOW), ("worker:eth0", spec), ("s1:s1-eth2", spec)]


def test_a_partition_is_rules_on_both_sides_that_lead_nowhere(kernel: Kernel, tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    kept.take([node(faults.partitioned([["worker"], ["worker2"]]))])
    added = sorted(kernel.asked, key=lambda line: line.partition(":")[0])
    assert [line.partition(":")[0] for line in added] == ["worker", "worker", "worker2", "worker2"]
    assert all("add rule" in line and "table=None" in line for line in added)
    assert "172.18.0.4" in "".join(added[:2]), "the other's own address"
    assert "10.244.2.0/24" in "".join(added[:2]), "and its pods'"
    kernel.asked.clear()
    kept.take([node()])
    assert all("delete rule" in line for line in kernel.asked)
    assert len(kernel.asked) == 4


def test_an_agent_after_this_one_goes_on(kernel: Kernel, tmp_path: Path) -> None:
    keeper(tmp_path).take([node(faults.cut("worker", "s1"), faults.partitioned([["worker"], ["worker2"]]))])
    kernel.asked.clear()
    keeper(tmp_path).take([node(faults.partitioned([["worker"], ["worker2"]]))])
    assert any("s1-eth2" in line for line in kernel.asked), "what was mended meanwhile stays broken"
    assert sum("add rule" in line for line in kernel.asked) == 4
    assert json.loads((tmp_path / "faults.json").read_text()).keys() == {faults.partitioned([["worker"], ["worker2"]])[0]}
