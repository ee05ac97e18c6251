"""What an empty store starts with, as a file: the cluster document, the objects, and where in the user's files they stood.

Places are for whoever explains what an object does; the API knows nothing of files. They are as the files were when the
testbed started.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.objects import Object
from cluster.reading.documents import Document, Lines

PLACED_KINDS = ("NetworkPolicy",)
"""Those whose parts somebody asks the place of."""


@dataclass(frozen=True, slots=True)
class Seed:
    """`documents`: the objects of PLACED_KINDS with their places."""

    cluster_document: dict[str, Any]
    objects: tuple[Object, ...]
    documents: tuple[Document, ...]


def write(file: Path, cluster_document: dict[str, Any], documents: Sequence[Document]) -> None:
    places = [
        {"object": index, "file": document.file, "lines": _lines_json(document.lines)}
        for index, document in enumerate(documents)
        if document.lines and document.data["kind"] in PLACED_KINDS
    ]
    objects = [document.data for document in documents]
    file.write_text(json.dumps({"cluster": cluster_document, "objects": objects, "places": places}))


def read(file: Path) -> Seed:
    """Who makes a seed without files need not say places."""
    content = json.loads(file.read_bytes())
    objects = content["objects"]
    return Seed(content["cluster"], tuple(objects), tuple(_documents(objects, content.get("places", ()))))


def _documents(objects: list[Object], places: Iterable[dict[str, Any]]) -> Iterator[Document]:
    for place in places:
        lines = _lines(place["lines"])
        yield Document(place["file"], lines.line, objects[place["object"]], lines)


def _lines_json(lines: Lines) -> list[Any]:
    """[line, [key or index, what is in it], …]; JSON's maps have no numbers as keys."""
    return [lines.line, *([step, _lines_json(inner)] for step, inner in lines.children.items())]


def _lines(found: list[Any]) -> Lines:
    line, *children = found
    return Lines(line, {step: _lines(inner) for step, inner in children})
