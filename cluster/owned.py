"""What a workload controller is given, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cluster.names import generated
from cluster.objects import Object


@dataclass(frozen=True, slots=True)
class Changes:
    """Objects to create or replace, and objects to delete."""

    puts: Sequence[Object] = ()
    deletions: Sequence[Object] = ()

    def __bool__(self) -> bool:
        return bool(self.puts or self.deletions)


@dataclass(slots=True)
class NameSource:
    """Fresh names for generated objects: unlike any that exists, and unlike that of the pod it replaces.

    `serial` is a count of objects ever created, so the names are the same for the same history.
    """

    serial: int
    taken: set[str] = field(default_factory=set)

    def generate(self, prefix: str) -> str:
        self.serial += 1
        name = generated(prefix, self.serial, self.taken)
        self.taken.add(name)
        return name
