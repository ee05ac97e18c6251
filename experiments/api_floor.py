"""The floor of `bench api`: the same work on SQLite alone, in this process, without HTTP, validation or control loops.

Creating is one transaction that writes the object and its entry in the history; listing reads all bodies; watching reads the
history behind a revision, once per watcher and write.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE objects (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE history (revision INTEGER PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL);
"""


def measure(path: Path, objects: Sequence[dict[str, Any]], watchers: int) -> dict[str, float]:
    """Seconds for all creations, for one list, and for what all watchers read meanwhile."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.executescript(_SCHEMA)
    create_s = watch_s = 0.0
    for revision, obj in enumerate(objects, 1):
        began = time.monotonic()
        _create(database, revision, obj)
        written = time.monotonic()
        for _ in range(watchers):
            database.execute("SELECT body FROM history WHERE revision > ?", (revision - 1,)).fetchall()
        create_s += written - began
        watch_s += time.monotonic() - written
    began = time.monotonic()
    "[" + ",".join(body for (body,) in database.execute("SELECT body FROM objects ORDER BY name")) + "]"
    list_s = time.monotonic() - began
    database.close()
    return {"create_s": create_s, "list_s": list_s, "watch_s": watch_s}


def _create(database: sqlite3.Connection, revision: int, obj: dict[str, Any]) -> None:
    body, name = json.dumps(obj), obj["metadata"]["name"]
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO objects VALUES (?, ?)", (name, body))
    database.execute("INSERT INTO history VALUES (?, ?, ?)", (revision, name, body))
    database.execute("COMMIT")
