"""The client: batches, reconnection, resets; and the same under eventlet."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import samples
from servers import TIMEOUT_S, ServerProcess, serving

from cluster.client import Batch, Client
from cluster.objects import name
from cluster.run_directory import STORE


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with serving(tmp_path) as process:
        process.empty()
        yield process


def told(batch: Batch) -> list[tuple[str, str]]:
    return [(event.type, name(event.object)) for event in batch.events]


def next_change(batches: Iterator[Batch]) -> Batch:
    """The next batch that is not empty: a new connection begins with an empty one."""
    return next(batch for batch in batches if batch.events)


def test_the_first_batch_holds_everything(server: ServerProcess) -> None:
    batch = next(server.client().watch(["Node"]))
    assert batch.reset
    assert told(batch) == [("ADDED", "control-plane"), ("ADDED", "worker"), ("ADDED", "worker2")]


def test_a_write_and_what_follows_from_it_come_in_one_batch(server: ServerProcess) -> None:
    client = server.client()
    batches = client.watch(["Pod"])
    assert next(batches).reset
    revision = client.apply([samples.pod("a"), samples.pod("b")])
    batch = next(batches)
    assert (batch.revision, batch.reset) == (revision, False)
    assert told(batch) == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("MODIFIED", "b")]


def test_a_watch_from_a_revision_has_only_what_is_newer(server: ServerProcess) -> None:
    client = server.client()
    revision = client.apply([samples.pod("a")])
    client.apply([samples.pod("b")])
    batches = client.watch(["Pod"], revision)
    batch = next_change(batches)
    assert (batch.reset, told(batch)) == (False, [("ADDED", "b"), ("MODIFIED", "b")])


def test_a_watch_goes_on_after_a_restart_without_a_gap(server: ServerProcess) -> None:
    client = server.client()
    batches = client.watch(["Pod"])
    client.apply([samples.pod("a")])
    next_change(batches)
    server.restart()
    client.apply([samples.pod("b")])
    batch = next_change(batches)
    assert (batch.reset, told(batch)[0]) == (False, ("ADDED", "b"))


def test_a_reconnection_without_news_gives_an_empty_batch(server: ServerProcess) -> None:
    client = server.client()
    batches = client.watch(["Pod"])
    first = next(batches)
    server.restart()
    assert next(batches) == Batch(first.revision, (), reset=False)


def test_a_reconnection_hears_of_changes_that_concern_other_kinds(server: ServerProcess) -> None:
    client = server.client()
    revision, _ = client.objects(["Node"])
    latest = client.apply([samples.pod("a")])
    batches = client.watch(["Node"], revision)
    told_up_to = next(batch.revision for batch in batches if batch.revision >= latest)
    assert told_up_to >= latest


def test_a_gap_gives_a_reset(server: ServerProcess, tmp_path: Path) -> None:
    client = server.client()
    client.apply([samples.pod("a")])
    batches = client.watch(["Pod"], revision=1)
    server.kill()
    with sqlite3.connect(tmp_path / STORE) as database:
        database.execute("DELETE FROM history")
    server.start()
    batch = next(batches)
    assert (batch.reset, told(batch)) == (True, [("ADDED", "a")])


def test_requests_wait_for_the_server(tmp_path: Path) -> None:
    client = Client(tmp_path / "api.sock", patience_s=TIMEOUT_S)
    with serving(tmp_path):
        assert client.objects(["Node"])[1]


def test_requests_do_not_wait_for_ever(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Client(tmp_path / "api.sock", patience_s=0).objects()


def test_close_ends_a_watch(server: ServerProcess) -> None:
    client = server.client()
    batches = client.watch(["Pod"])
    next(batches)
    reader = Thread(target=lambda: list(batches))
    reader.start()
    client.close()
    reader.join(TIMEOUT_S)
    assert not reader.is_alive()


UNDER_EVENTLET = """
import eventlet
eventlet.monkey_patch()
import sys
import samples
from cluster.client import Client
client = Client(sys.argv[1])
batches = client.watch(["Pod"])
assert next(batches).reset
seen = []
reader = eventlet.spawn(lambda: seen.append(next(batches)))
eventlet.sleep(0)
revision = client.apply([samples.pod("a")])
reader.wait()
assert seen[0].revision == revision, seen
"""


def test_it_works_under_eventlets_monkey_patching(server: ServerProcess) -> None:
    pytest.importorskip("eventlet")
    command = [sys.executable, "-c", UNDER_EVENTLET, str(server.socket)]
    subprocess.run(command, cwd=Path(__file__).parent, check=True, timeout=TIMEOUT_S)
