"""The changes of the last minutes, so that a watch or a paged list can go on from any revision of them.

The latest are in memory, all of them in SQLite, so they survive the death of the process. They are forgotten by number and by
age, as etcd's are by the API server's compaction every five minutes.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from cluster.draft import ChangeType, Key
from cluster.objects import Object

RECENT = 1_000
"""So many changes are kept in memory, where their objects are shared with the store's."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS history (
    revision INTEGER PRIMARY KEY, at REAL NOT NULL, type TEXT NOT NULL,
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, previous TEXT);
"""
_INSERT = """
INSERT INTO history (revision, at, type, kind, namespace, name, body, previous)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
    CASE ?3 WHEN 'ADDED' THEN NULL ELSE (SELECT body FROM objects WHERE kind = ?4 AND namespace = ?5 AND name = ?6) END)
"""
_SELECT = "SELECT revision, type, kind, namespace, name, body, previous FROM history WHERE revision > ?"
_FORGET = "DELETE FROM history WHERE revision <= ?"
_LAST_OLD = "SELECT max(revision) FROM history WHERE at < ?"


class CompactedError(Exception):
    """The changes since that revision are no longer known, or not yet: list everything again."""

    def __init__(self, revision: int, oldest: int, newest: int) -> None:
        super().__init__(f"revision {revision} is not in {oldest}…{newest}")
        self.revision, self.oldest, self.newest = revision, oldest, newest


@dataclass(frozen=True)
class Change:
    """One changed object; `text` is its JSON, `previous_text` that of what was there before."""

    revision: int
    type: ChangeType
    key: Key
    text: str
    previous_text: str | None = None

    @cached_property
    def obj(self) -> Object:
        parsed: Object = json.loads(self.text)
        return parsed

    @cached_property
    def previous(self) -> Object | None:
        """The object before this change; None where there was none."""
        return json.loads(self.previous_text) if self.previous_text else None

    def knowing(self, obj: Object, previous: Object | None) -> Change:
        """The same change, whose objects need not be parsed, since the store has them."""
        self.__dict__.update(obj=obj, previous=previous)
        return self


class History:
    """`oldest` is the lowest revision since which every change is known, `newest` that of the last change."""

    def __init__(self, database: sqlite3.Connection, newest: int, length: int, age_s: float) -> None:
        database.executescript(_SCHEMA)
        self._database = database
        self._length = length
        self._age_s = age_s
        self._compacted_at = 0.0
        self._recent: deque[Change] = deque(maxlen=RECENT)
        self.newest = newest
        (first,) = database.execute("SELECT min(revision) FROM history").fetchone()
        self.oldest = newest if first is None else first - 1

    def insert(self, changes: Sequence[Change], at: float) -> None:
        """Write changes, inside the transaction that also changes the objects, and before it does."""
        self._database.executemany(_INSERT, ((one.revision, at, one.type, *one.key, one.text) for one in changes))

    def committed(self, changes: Sequence[Change], at: float) -> None:
        """What was inserted is there to stay."""
        self._recent.extend(changes)
        self.newest = changes[-1].revision
        surplus = self.newest - self.oldest - self._length
        if surplus > self._length // 10 or at - self._compacted_at > self._age_s / 5:
            self._compact(at, max(surplus, 0))

    def since(self, revision: int, kind: str | None = None) -> Sequence[Change]:
        """Every change with a higher revision, in order. Raises CompactedError."""
        if not self.oldest <= revision <= self.newest:
            raise CompactedError(revision, self.oldest, self.newest)
        behind = self.newest - revision
        if behind <= len(self._recent):
            latest = islice(reversed(self._recent), behind)
            found = [one for one in latest if kind is None or one.key[0] == kind]
            found.reverse()
            return found
        return list(self._stored(revision, kind))

    def _stored(self, revision: int, kind: str | None) -> Iterator[Change]:
        query, values = _SELECT, [revision, *([kind] if kind else [])]
        if kind:
            query += " AND kind = ?"
        for row in self._database.execute(query + " ORDER BY revision", values):
            number, change_type, of_kind, namespace, name, body, previous = row
            yield Change(number, change_type, (of_kind, namespace, name), body, previous)

    def _compact(self, at: float, surplus: int) -> None:
        """Forget the surplus, and what is older than `age_s`, but never the last change."""
        (last_old,) = self._database.execute(_LAST_OLD, (at - self._age_s,)).fetchone()
        oldest = max(self.oldest + surplus, min(last_old or 0, self.newest - 1))
        if oldest > self.oldest:
            self._database.execute(_FORGET, (oldest,))
            self.oldest = oldest
        self._compacted_at = at


def shared(value: Any, pool: dict[str, str]) -> Any:
    """Parsed JSON whose equal short strings are one string each: thousands of objects have the same keys and values."""
    if isinstance(value, dict):
        return {pool.setdefault(key, key): shared(below, pool) for key, below in value.items()}
    if isinstance(value, list):
        return [shared(item, pool) for item in value]
    return pool.setdefault(value, value) if isinstance(value, str) else value
