"""Objects and their revisions, in SQLite.

Reads are answered from memory; SQLite (write-ahead log) is there so that what was acknowledged survives the
death of the process. Every changed object has a revision of its own, its `metadata.resourceVersion`; all changes
of one draft are one transaction. The latest changes are kept in memory for watchers; who asks for older ones lists
everything again.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from cluster.draft import ChangeType, Draft, Key, key_of
from cluster.objects import Object

HISTORY_LENGTH = 20_000
"""Changes kept for watchers: several times all pods of a large testbed, at about 2 kB each."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, namespace, name));
CREATE TABLE IF NOT EXISTS counters (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL, desired_revision INTEGER NOT NULL, created INTEGER NOT NULL);
INSERT OR IGNORE INTO counters VALUES (1, 0, 0, 0);
"""

# An upsert keeps the row's id, so the order of ids stays the order of creation.
_UPSERT = """
INSERT INTO objects (kind, namespace, name, revision, body) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (kind, namespace, name) DO UPDATE SET revision = excluded.revision, body = excluded.body
"""
_DELETE = "DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?"
_COUNTERS = "UPDATE counters SET revision = ?, desired_revision = ?, created = ?"


class CompactedError(Exception):
    """The changes since that revision are no longer known: list everything again."""


@dataclass(frozen=True, slots=True)
class Change:
    """One changed object; `text` is its JSON."""

    revision: int
    type: ChangeType
    key: Key
    text: str


def dumps(obj: object) -> str:
    return json.dumps(obj, separators=(",", ":"))


def utc_now() -> str:
    """The time as Kubernetes writes it: RFC 3339, whole seconds."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """`revision` is that of the last change, `desired_revision` that of the last one that was not only a status."""

    def __init__(self, path: Path, now: Callable[[], str] = utc_now, history_length: int = HISTORY_LENGTH) -> None:
        self._now = now
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        # Enough for the death of the process; a power cut may lose the last transactions, never half of one.
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)
        self._objects: dict[str, dict[Key, Object]] = {}
        for (body,) in self._database.execute("SELECT body FROM objects ORDER BY rowid"):
            obj = json.loads(body)
            self._objects.setdefault(obj["kind"], {})[key_of(obj)] = obj
        row = self._database.execute("SELECT revision, desired_revision, created FROM counters").fetchone()
        self.revision, self.desired_revision, self._created = map(int, row)
        self._history: deque[Change] = deque(maxlen=history_length)
        self._forgotten = self.revision

    def close(self) -> None:
        self._database.close()

    def draft(self) -> Draft:
        return Draft(self._objects, self._created, self._now())

    def get(self, key: Key) -> Object | None:
        return self._objects.get(key[0], {}).get(key)

    def list(self, kinds: Iterable[str]) -> Sequence[Object]:
        """All objects of these kinds, kind by kind, oldest first. Not to be changed."""
        return [obj for kind in kinds for obj in self._objects.get(kind, {}).values()]

    def kinds(self) -> Sequence[str]:
        return [kind for kind, objects in self._objects.items() if objects]

    def changes_since(self, revision: int) -> Sequence[Change]:
        """Every change with a higher revision, in order. Raises CompactedError."""
        if not self._forgotten <= revision <= self.revision:
            raise CompactedError(f"revision {revision} is not in {self._forgotten}…{self.revision}")
        behind = self.revision - revision
        return [self._history[index] for index in range(len(self._history) - behind, len(self._history))]

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
        self._write(changes, (revision, desired_revision, draft.created))
        for change, obj in zip(changes, objects, strict=True):
            if change.type == "DELETED":
                del self._objects[change.key[0]][change.key]
            else:
                self._objects.setdefault(change.key[0], {})[change.key] = obj
        self.revision, self.desired_revision, self._created = revision, desired_revision, draft.created
        self._history.extend(changes)
        self._forgotten = self.revision - len(self._history)
        return revision

    def _number(self, draft: Draft) -> tuple[Sequence[Change], Sequence[Object]]:
        changes, objects = [], []
        for revision, (change_type, obj) in enumerate(draft.changes(), self.revision + 1):
            numbered = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
            changes.append(Change(revision, change_type, key_of(obj), dumps(numbered)))
            objects.append(numbered)
        return changes, objects

    def _write(self, changes: Sequence[Change], counters: tuple[int, int, int]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            # Deletions come first in `changes` where an object is created again, so the order must be kept.
            for change in changes:
                if change.type == "DELETED":
                    self._database.execute(_DELETE, change.key)
                else:
                    self._database.execute(_UPSERT, (*change.key, change.revision, change.text))
            self._database.execute(_COUNTERS, counters)
            self._database.execute("COMMIT")
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
