"""The completion indexes of an indexed Job: which are done, which are to be run next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from cluster.objects import Object, annotation

INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"


def index_of(pod: Mapping[str, Any]) -> int | None:
    text = annotation(pod, INDEX_ANNOTATION)
    return int(text) if text is not None and text.isdigit() else None


def missing_indexes(completions: int | None, done: set[int], active: Iterable[Object], count: int) -> Sequence[int]:
    """The lowest indexes that are neither done nor running, `count` at most; without completions, as many as that."""
    if completions is None:
        return range(count)
    running = {index_of(pod) for pod in active}
    free = (index for index in range(completions) if index not in done and index not in running)
    return list(islice(free, count))


def as_text(indexes: Iterable[int]) -> str:
    """ "1,3-5,7": what `status.completedIndexes` holds."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def parsed(text: str) -> set[int]:
    """The inverse of `as_text`."""
    indexes: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        indexes.update(range(int(first), int(last or first) + 1))
    return indexes
