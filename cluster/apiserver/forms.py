"""Objects, lists and events of watches in the form that a client asked for: as they are, as a table, metadata alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request

from cluster.apiserver.negotiation import Form
from cluster.apiserver.tables import table
from cluster.apiserver.watches import Encode
from cluster.json_text import dumps
from cluster.registry.requests import Listing, WatchEvent

Object = Mapping[str, Any]

_TABLE = "Table"


def single(request: Request, form: Form, obj: Object, now_s: float) -> Object:
    if form.kind == _TABLE:
        metadata = {"resourceVersion": obj.get("metadata", {}).get("resourceVersion", "")}
        return _table(request, form, str(obj["kind"]), [obj], metadata, now_s)
    return table.partial(obj, form.api_version) if form.kind else obj


def listed(request: Request, form: Form, listing: Listing, now_s: float) -> Object:
    if not form.kind:
        return listing.to_json()
    kind, metadata = listing.resource.kind, listing.to_json()["metadata"]
    if form.kind == _TABLE:
        return _table(request, form, kind, listing.items, metadata, now_s)
    items = [table.partial(obj, form.api_version) for obj in listing.items]
    return {"kind": form.kind, "apiVersion": form.api_version, "metadata": metadata, "items": items}


def watched(request: Request, form: Form, kind: str, now_s: Callable[[], float]) -> Encode:
    """How the events of one watch are encoded. Only the first table of it has columns, as clients expect it."""
    if form.kind == _TABLE:
        return _Tables(request, form, kind, now_s).encode
    if form.kind:
        return lambda event: dumps(table.partial(event.obj, form.api_version))
    return lambda event: event.text


class _Tables:
    def __init__(self, request: Request, form: Form, kind: str, now_s: Callable[[], float]) -> None:
        self._include = table.include_object(request.query_params.get("includeObject", ""))
        self._form = form
        self._kind = kind
        self._now_s = now_s
        self._is_first = True

    def encode(self, event: WatchEvent) -> str:
        obj = event.obj
        objects = [] if event.type == "BOOKMARK" else [obj]
        metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        made = table.table(
            self._kind, objects, self._form.api_version, self._include, self._now_s(), metadata, self._is_first
        )
        self._is_first = False
        return dumps(made)


def _table(
    request: Request, form: Form, kind: str, objects: Sequence[Object], metadata: Object, now_s: float
) -> Object:
    include = table.include_object(request.query_params.get("includeObject", ""))
    return table.table(kind, objects, form.api_version, include, now_s, metadata)
