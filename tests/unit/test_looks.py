"""When the agent looks at pods to which nothing happens."""

from __future__ import annotations

from topo.looks import Looks


def test_without_pods_there_is_nothing_to_wait_for() -> None:
    assert Looks().wait_s(100.0) is None


def test_the_next_look_is_the_earliest() -> None:
    looks = Looks()
    looks.put("a", 103.0)
    looks.put("b", 101.5)
    assert looks.wait_s(100.0) == 1.5
    assert looks.due(101.4) == []
    assert looks.due(101.5) == ["b"]
    assert looks.wait_s(102.0) == 0.0


def test_a_pod_may_be_looked_at_later_or_not_any_more() -> None:
    looks = Looks()
    looks.put("a", 101.0)
    looks.put("a", 105.0)
    assert looks.due(101.0) == []
    looks.put("a", None)
    looks.put("never there", None)
    assert looks.wait_s(100.0) is None
