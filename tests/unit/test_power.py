"""Which nodes are on, and what is done to their cables."""

from __future__ import annotations

import pytest

from cluster.objects import POWER_ANNOTATION
from topo.cables import Cables
from topo.power import Power, is_off


@pytest.fixture
def switched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """What was done to cables: which node's, and whether it is whole now."""
    done: list[tuple[str, bool]] = []
    monkeypatch.setattr(Power, "_switch", lambda _power, node, on: done.append((node, on)))
    return done


def made() -> Power:
    return Power({"a": "s1-eth1", "b": "s1-eth2"}, ["a", "b"], Cables())


def test_the_annotation() -> None:
    assert is_off({"metadata": {"annotations": {POWER_ANNOTATION: "off"}}})
    assert not is_off({"metadata": {"annotations": {POWER_ANNOTATION: "on"}}})
    assert not is_off({"metadata": {}})


def test_no_node_is_alive_before_it_is_known_which_are(switched: list[tuple[str, bool]]) -> None:
    power = made()
    assert power.on == frozenset()
    power.set({"a": False, "b": True})
    assert power.on == {"a"}


def test_the_first_state_mends_what_an_agent_before_has_cut(switched: list[tuple[str, bool]]) -> None:
    assert made().set({"a": False, "b": True}) == {"b"}
    assert sorted(switched) == [("a", True), ("b", False)]


def test_off_and_on(switched: list[tuple[str, bool]]) -> None:
    power = made()
    power.set({"a": False, "b": False})
    switched.clear()
    assert power.set({"a": True}) == {"a"}
    assert not power.is_on("a")
    assert power.set({"a": True}) == frozenset()
    assert power.set({"b": False}) == frozenset()
    assert power.set({"a": False}) == {"a"}
    assert switched == [("a", False), ("a", True)]
