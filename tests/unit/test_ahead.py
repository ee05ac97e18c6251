"""What is asked for before anybody takes it."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

from topo.ahead import ahead

PATIENCE_S = 10


def test_it_begins_at_once_and_keeps_the_order() -> None:
    began = Event()

    def endless() -> Iterator[int]:
        number = 0
        while True:
            began.set()
            yield number
            number += 1
            if number == 1000:
                Event().wait()

    numbers = ahead(endless())
    assert began.wait(PATIENCE_S), "nothing was taken before somebody asked"
    assert [next(numbers) for _ in range(1000)] == list(range(1000))
