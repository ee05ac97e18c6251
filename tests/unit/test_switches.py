"""Which pods the switches know, and what is asked about the others."""

from __future__ import annotations

from dataclasses import dataclass
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.client import NotInSyncError
from topo.switches import Switches

PATIENCE_S = 10


@dataclass
class Api:
    """Knows what it is asked for the second time."""

    asked: SimpleQueue[int]
    late: bool = False

    def wait_realised(self, component: str, revision: int, timeout_s: float) -> int:
        assert (component, timeout_s) == ("controller", 3.0)
        self.asked.put(revision)
        if self.late:
            self.late = False
            raise NotInSyncError([], 0)
        return revision + 1


@pytest.fixture
def api() -> Api:
    return Api(SimpleQueue())


@pytest.fixture
def heard() -> SimpleQueue[int]:
    return SimpleQueue()


@pytest.fixture
def switches(api: Api, heard: SimpleQueue[int]) -> Switches:
    return Switches(api, 3.0, heard.put)  # type: ignore[arg-type]


def pod(uid: str, admitted_at: int) -> Any:
    return SimpleNamespace(uid=uid, admitted_at=admitted_at)


def test_the_newest_of_the_pods_that_came_is_asked_for(switches: Switches, api: Api, heard: SimpleQueue[int]) -> None:
    for each in (pod("a", 11), pod("b", 13), pod("c", 12)):
        switches.admit(each)
    switches.ask(10)
    assert api.asked.get(timeout=PATIENCE_S) == 13
    assert heard.get(timeout=PATIENCE_S) == 14
    assert api.asked.empty()


def test_nothing_is_asked_about_pods_that_were_asked_about(switches: Switches, api: Api) -> None:
    switches.admit(pod("a", 11))
    switches.ask(11)
    gone = pod("b", 12)
    switches.admit(gone)
    switches.forget(gone)
    switches.ask(11)
    switches.admit(pod("c", 14))
    switches.ask(11)
    assert api.asked.get(timeout=PATIENCE_S) == 14


def test_a_pod_is_known_from_its_revision_on(switches: Switches) -> None:
    old, new = pod("a", 11), pod("b", 13)
    switches.admit(old)
    switches.admit(new)
    assert not switches.know(old)
    assert switches.realised(12) == {"a": old}
    assert switches.know(old)
    assert not switches.know(new)
    assert switches.realised(5) == {}
    assert switches.realised(13) == {"b": new}


def test_what_takes_long_is_asked_again(switches: Switches, api: Api, heard: SimpleQueue[int]) -> None:
    api.late = True
    switches.admit(pod("a", 11))
    switches.ask(10)
    assert heard.get(timeout=PATIENCE_S) == 12
    assert [api.asked.get(timeout=PATIENCE_S) for _ in range(2)] == [11, 11]
