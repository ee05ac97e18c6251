"""What the agent reports, in which order, and with what together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Event
from typing import Any

from topo.reports import Reports

PATIENCE_S = 10


class Api:
    """Answers a request only when told to, and remembers it."""

    def __init__(self) -> None:
        self.asked: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.go_on = Event()

    def _take(self, *request: Any) -> None:
        self.asked.put(request)  # type: ignore[arg-type]
        assert self.go_on.wait(PATIENCE_S)

    def post_statuses(self, statuses: Sequence[Any]) -> None:
        self._take("statuses", list(statuses))

    def post_removed(self, pods: Sequence[Any]) -> None:
        self._take("removed", list(pods))

    def observed(self, component: str, revision: int, detail: Any) -> None:
        self._take("observed", (component, revision, detail))


def reported(report: Callable[[Reports], None], count: int) -> list[tuple[str, Any]]:
    """What the server is asked, in order: first a status, then, when all of `report` waits, the rest."""
    api = Api()
    reports = Reports(api)  # type: ignore[arg-type]
    reports.statuses([{"name": "first"}])
    first = api.asked.get(timeout=PATIENCE_S)
    report(reports)
    api.go_on.set()
    assert first == ("statuses", [{"name": "first"}])
    return [api.asked.get(timeout=PATIENCE_S) for _ in range(count)]


def test_what_waits_goes_together() -> None:
    def report(reports: Reports) -> None:
        reports.statuses([{"name": "a"}])
        reports.statuses([{"name": "b"}, {"name": "c"}])

    assert reported(report, 1) == [("statuses", [{"name": "a"}, {"name": "b"}, {"name": "c"}])]


def test_the_last_status_of_a_pod_comes_before_its_end() -> None:
    def report(reports: Reports) -> None:
        reports.statuses([{"name": "a"}])
        reports.removed([{"name": "a"}])
        reports.statuses([{"name": "b"}])

    kinds = [kind for kind, _ in reported(report, 3)]
    assert kinds == ["statuses", "removed", "statuses"]


def test_of_what_was_observed_the_newest_counts() -> None:
    def report(reports: Reports) -> None:
        reports.observed(7, 1)
        reports.observed(9, 2)

    assert reported(report, 1) == [("observed", ("agent", 9, {"pods": 2}))]
