"""The store: revisions, uids, history, and what survives."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import samples
from operations import calls

from cluster.draft import key_of
from cluster.objects import Object, name
from cluster.store import CompactedError, Store

NOW = "2024-01-01T00:00:00Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store(path, now=lambda: NOW)
    yield opened
    opened.close()


def put(store: Store, *objects: Object) -> int:
    draft = store.draft()
    draft.put_all(objects)
    return store.commit(draft)


def delete(store: Store, obj: Object) -> int:
    draft = store.draft()
    draft.delete(key_of(obj))
    return store.commit(draft)


def merge(store: Store, obj: Object, status: Object, uid: str | None = None) -> int:
    draft = store.draft()
    stored = store.get(key_of(obj))
    assert stored is not None
    draft.merge_status(key_of(obj), uid or stored["metadata"]["uid"], status)
    return store.commit(draft)


def stored(store: Store, obj: Object) -> Object:
    found = store.get(key_of(obj))
    assert found is not None
    return found


def test_every_changed_object_has_a_revision_of_its_own(store: Store) -> None:
    assert put(store, samples.pod("a"), samples.pod("b")) == 2
    assert [pod["metadata"]["resourceVersion"] for pod in store.list(["Pod"])] == ["1", "2"]


def test_the_server_sets_uid_and_creation_timestamp(store: Store) -> None:
    given = samples.pod("a")
    given["metadata"] |= {"uid": "mine", "creationTimestamp": "1999-01-01T00:00:00Z", "resourceVersion": "77"}
    put(store, given)
    metadata = stored(store, given)["metadata"]
    assert metadata["creationTimestamp"] == NOW
    assert metadata["resourceVersion"] == "1"
    assert metadata["uid"] != "mine"


def test_an_equal_object_changes_nothing(store: Store) -> None:
    put(store, samples.pod("a"))
    assert put(store, samples.pod("a")) == 1


def test_an_update_keeps_the_uid(store: Store) -> None:
    put(store, samples.pod("a"))
    before = stored(store, samples.pod("a"))
    assert put(store, samples.pod("a", {"x": "y"})) == 2
    after = stored(store, samples.pod("a"))
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["resourceVersion"] == "2"


def test_uids_depend_on_the_history_only(tmp_path: Path) -> None:
    uids = []
    for number in range(2):
        one = Store(tmp_path / f"{number}.sqlite")
        put(one, samples.pod("a"))
        delete(one, samples.pod("a"))
        put(one, samples.pod("a"))
        uids.append([change.text.split('"uid":"')[1][:36] for change in one.changes_since(0)])
        one.close()
    assert uids[0] == uids[1]
    assert uids[0][0] == uids[0][1] != uids[0][2]


def test_an_object_created_again_in_one_draft_is_deleted_then_added(store: Store) -> None:
    put(store, samples.pod("a"))
    draft = store.draft()
    draft.delete(key_of(samples.pod("a")))
    draft.put(samples.pod("a"))
    assert store.commit(draft) == 3
    assert [change.type for change in store.changes_since(1)] == ["DELETED", "ADDED"]


def test_what_comes_and_goes_within_a_draft_is_no_change(store: Store) -> None:
    draft = store.draft()
    draft.put(samples.pod("a"))
    draft.delete(key_of(samples.pod("a")))
    assert store.commit(draft) == 0


def test_statuses_replace_top_level_keys(store: Store) -> None:
    put(store, samples.pod("a"))
    merge(store, samples.pod("a"), {"phase": "Pending", "podIPs": [{"ip": "10.0.0.1"}]})
    merge(store, samples.pod("a"), {"phase": "Running"})
    assert stored(store, samples.pod("a"))["status"] == {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]}


def test_a_status_for_another_uid_is_passed_over(store: Store) -> None:
    put(store, samples.pod("a"))
    assert merge(store, samples.pod("a"), {"phase": "Running"}, uid="another") == 1


def test_a_status_is_no_change_of_desired_state(store: Store) -> None:
    put(store, samples.pod("a"))
    assert (merge(store, samples.pod("a"), {"phase": "Running"}), store.desired_revision) == (2, 1)
    assert (delete(store, samples.pod("a")), store.desired_revision) == (3, 3)


def test_changes_are_answered_from_any_revision_kept(path: Path) -> None:
    store = Store(path, history_length=2)
    put(store, samples.pod("a"), samples.pod("b"), samples.pod("c"))
    assert [change.key[2] for change in store.changes_since(1)] == ["b", "c"]
    assert list(store.changes_since(3)) == []
    for unknown in (0, 4):
        with pytest.raises(CompactedError):
            store.changes_since(unknown)
    store.close()


def test_everything_survives_a_restart_in_order(store: Store, path: Path) -> None:
    put(store, *(samples.pod(letter) for letter in "cab"))
    merge(store, samples.pod("c"), {"phase": "Running"})
    delete(store, samples.pod("a"))
    put(store, samples.pod("a"))
    again = Store(path)
    assert (again.revision, again.desired_revision) == (store.revision, store.desired_revision)
    assert list(again.list(["Pod"])) == list(store.list(["Pod"]))
    assert [name(pod) for pod in again.list(["Pod"])] == ["c", "b", "a"]
    again.close()


def test_a_failed_commit_leaves_nothing_half_done(store: Store, path: Path) -> None:
    put(store, samples.pod("a"))
    blocker = Store(path)
    blocker._database.execute("BEGIN IMMEDIATE")
    store._database.execute("PRAGMA busy_timeout = 0")
    with pytest.raises(Exception, match="locked"):
        put(store, samples.pod("b"))
    assert (store.revision, [name(pod) for pod in store.list(["Pod"])]) == (1, ["a"])
    blocker.close()
    assert put(store, samples.pod("b")) == 2


WRITER = """
import sys
from pathlib import Path
import samples
from operations import calls
from cluster.store import Store
store = Store(Path(sys.argv[1]))
while True:
    draft = store.draft()
    serial = store.revision // 2
    draft.put_all([samples.pod(f"left-{serial}"), samples.pod(f"right-{serial}")])
    print(store.commit(draft), flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent
    )
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(200)]
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    acknowledged += [int(line) for line in writer.stdout.read().splitlines()]
    store = Store(path)
    assert store.revision >= acknowledged[-1]
    assert len(store.list(["Pod"])) == store.revision, "a transaction was written by half"
    store.close()


def test_a_pod_and_its_status_cost_no_more_among_many(tmp_path: Path) -> None:
    few, many = written_calls(tmp_path / "few.sqlite", 100), written_calls(tmp_path / "many.sqlite", 1000)
    assert many < 11 * few, f"{few} calls for 100 pods, {many} for 1000"


def written_calls(path: Path, count: int) -> int:
    """What it costs to write so many pods in one transaction, and then their statuses in another."""
    store = Store(path)
    pods = [samples.pod(f"pod-{number}") for number in range(count)]

    def write() -> None:
        put(store, *pods)
        draft = store.draft()
        for pod in store.list(["Pod"]):
            draft.merge_status(key_of(pod), pod["metadata"]["uid"], {"phase": "Running"})
        store.commit(draft)

    cost = calls(write)
    store.close()
    return cost
