"""Objects and their revisions, in SQLite.

Reads are answered from memory; SQLite (write-ahead log) is there so that what was acknowledged survives the
death of the process. Every changed object has a revision of its own, its `metadata.resourceVersion`; all changes
of one draft are one transaction. The latest changes are kept for watchers (`history`); who asks for older ones lists
everything again.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path

from cluster.draft import Draft, Key, key_of
from cluster.history import Change, CompactedError, History, shared
from cluster.json_text import dumps
from cluster.objects import Object

__all__ = ["Change", "CompactedError", "Store", "dumps", "utc_now"]

HISTORY_LENGTH = 10_000
"""Changes kept for watchers: several times all pods of a large testbed, at about 4 kB each on disk."""

HISTORY_AGE_S = 300.0
"""etcd's compaction interval in the API server."""

_CHECKPOINT_PAGES = 8192
"""Of 4 kB, after which the log is copied into the database. With SQLite's 1000 that happened four times during the start
of 1,000 pods, with a wait for the disk each time where the run directory is on one. The price: a log of up to 32 MB
that stays."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, namespace, name));
CREATE TABLE IF NOT EXISTS counters (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL, desired_revision INTEGER NOT NULL, created INTEGER NOT NULL, named INTEGER NOT NULL);
INSERT OR IGNORE INTO counters VALUES (1, 0, 0, 0, 0);
"""

# An upsert keeps the row's id, so the order of ids stays the order of creation.
_UPSERT = """
INSERT INTO objects (kind, namespace, name, revision, body) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (kind, namespace, name) DO UPDATE SET revision = excluded.revision, body = excluded.body
"""
_DELETE = "DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?"
_COUNTERS = "UPDATE counters SET revision = ?, desired_revision = ?, created = ?, named = ?"


def utc_now() -> str:
    """The time as Kubernetes writes it: RFC 3339, whole seconds."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """`revision` is that of the last change, `desired_revision` that of the last one that was not only a status."""

    def __init__(
        self,
        path: Path,
        now: Callable[[], str] = utc_now,
        history_length: int = HISTORY_LENGTH,
        history_age_s: float = HISTORY_AGE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._now = now
        self._clock = clock
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        # Enough for the death of the process; a power cut may lose the last transactions, never half of one.
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        self._database.executescript(_SCHEMA)
        self._objects: dict[str, dict[Key, Object]] = {}
        pool: dict[str, str] = {}
        for (body,) in self._database.execute("SELECT body FROM objects ORDER BY rowid"):
            obj: Object = shared(json.loads(body), pool)
            self._objects.setdefault(obj["kind"], {})[key_of(obj)] = obj
        row = self._database.execute("SELECT revision, desired_revision, created, named FROM counters").fetchone()
        self.revision, self.desired_revision, self._created, self._named = map(int, row)
        self._history = History(self._database, self.revision, history_length, history_age_s)

    def close(self) -> None:
        self._database.close()

    def draft(self) -> Draft:
        return Draft(self._objects, self._created, self._now(), self._named)

    def get(self, key: Key) -> Object | None:
        return self._objects.get(key[0], {}).get(key)

    def list(self, kinds: Iterable[str]) -> Sequence[Object]:
        """All objects of these kinds, kind by kind, oldest first. Not to be changed."""
        return [obj for kind in kinds for obj in self._objects.get(kind, {}).values()]

    def kinds(self) -> Sequence[str]:
        return [kind for kind, objects in self._objects.items() if objects]

    def of_kind(self, kind: str) -> Mapping[Key, Object]:
        """All objects of a kind by their keys, oldest first. Not to be changed."""
        return self._objects.get(kind, {})

    @property
    def oldest_revision(self) -> int:
        """The lowest one since which every change is known."""
        return self._history.oldest

    def changes_since(self, revision: int, kind: str | None = None) -> Sequence[Change]:
        """Every change (of that kind) with a higher revision, in order. Raises CompactedError."""
        return self._history.since(revision, kind)

    def commit(self, draft: Draft) -> int:
        """Write the draft in one transaction and answer the revision; a draft without changes writes nothing.

        The draft must have been made from the present state: there is one writer, and it commits before it drafts
        again.
        """
        changes, objects = self._number(draft)
        if not changes:
            return self.revision
        revision = changes[-1].revision
        desired_revision = revision if draft.desired_changed else self.desired_revision
        at = self._clock()
        self._write(changes, at, (revision, desired_revision, draft.created, draft.named))
        for change, obj in zip(changes, objects, strict=True):
            change.knowing(obj, self._objects.get(change.key[0], {}).get(change.key))
            if change.type == "DELETED":
                del self._objects[change.key[0]][change.key]
            else:
                self._objects.setdefault(change.key[0], {})[change.key] = obj
        self.revision, self.desired_revision = revision, desired_revision
        self._created, self._named = draft.created, draft.named
        self._history.committed(changes, at)
        return revision

    def _number(self, draft: Draft) -> tuple[Sequence[Change], Sequence[Object]]:
        changes, objects = [], []
        for revision, (change_type, obj) in enumerate(draft.changes(), self.revision + 1):
            numbered = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
            changes.append(Change(revision, change_type, key_of(obj), dumps(numbered)))
            objects.append(numbered)
        return changes, objects

    def _write(self, changes: Sequence[Change], at: float, counters: tuple[int, int, int, int]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._history.insert(changes, at)
            # Deletions come first in `changes` where an object is created again, so the order must be kept.
            for deletes, alike in groupby(changes, lambda change: change.type == "DELETED"):
                if deletes:
                    self._database.executemany(_DELETE, (change.key for change in alike))
                else:
                    rows = ((*change.key, change.revision, change.text) for change in alike)
                    self._database.executemany(_UPSERT, rows)
            self._database.execute(_COUNTERS, counters)
            self._database.execute("COMMIT")
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
