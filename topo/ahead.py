"""Things that are asked for before somebody has the time to take them."""

from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def ahead(endless: Iterator[T]) -> Iterator[T]:
    """The same things in the same order; a thread takes them from now on, and keeps those that nobody took yet."""
    waiting: SimpleQueue[T] = SimpleQueue()

    def take() -> None:
        for thing in endless:
            waiting.put(thing)

    Thread(target=take, name="ahead", daemon=True).start()
    return iter(waiting.get, object())
