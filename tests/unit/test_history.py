"""The history of changes: from memory and from disk alike, before and after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import samples

from cluster import history
from cluster.history import shared
from cluster.store import Store

PODS = 30


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Every pod was created and then changed; only the last changes are in memory."""
    monkeypatch.setattr(history, "RECENT", 10)
    opened = Store(tmp_path / "store.sqlite")
    for labels in ({}, {"changed": "yes"}):
        draft = opened.draft()
        draft.put_all(samples.pod(f"pod-{number}", labels) for number in range(PODS))
        draft.put(samples.service("web", **({"sessionAffinity": "None"} if labels else {})))
        opened.commit(draft)
    yield opened
    opened.close()


def test_what_is_not_in_memory_comes_from_disk(store: Store) -> None:
    everything = store.changes_since(0)
    assert [change.revision for change in everything] == list(range(1, 2 * PODS + 3))
    first, later = everything[0], everything[PODS + 1]
    assert (first.type, first.previous) == ("ADDED", None)
    assert later.type == "MODIFIED"
    assert later.previous == first.obj
    assert later.obj["metadata"]["labels"] == {"changed": "yes"}


def test_changes_of_one_kind_are_picked_from_both(store: Store) -> None:
    for since in (0, store.revision - 5):
        services = store.changes_since(since, "Service")
        assert {change.key[0] for change in services} == {"Service"}
    assert len(store.changes_since(0, "Service")) == 2


def test_memory_and_disk_tell_the_same(store: Store, tmp_path: Path) -> None:
    since = store.revision - 5
    recent = [(change.key, change.type, change.obj, change.previous) for change in store.changes_since(since)]
    again = Store(tmp_path / "store.sqlite")
    assert [(one.key, one.type, one.obj, one.previous) for one in again.changes_since(since)] == recent
    again.close()


def test_objects_of_recent_changes_are_the_stores_own(store: Store) -> None:
    last = store.changes_since(store.revision - 1)[0]
    assert last.obj is store.get(last.key)


def test_equal_strings_become_one() -> None:
    pool: dict[str, str] = {}
    one, other = (shared({"key" + str(1): ["value" + str(2)]}, pool) for _ in range(2))
    assert one == other == {"key1": ["value2"]}
    assert next(iter(one)) is next(iter(other))
    assert one["key1"][0] is other["key1"][0]
