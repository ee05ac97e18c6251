"""Objects as meta.k8s.io/v1 Table and PartialObjectMetadata.

https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cluster.apiserver.tables import network, others, pods, workloads
from cluster.apiserver.tables.columns import Column
from cluster.registry.errors import bad_request

Object = Mapping[str, Any]

_COLUMNS: Mapping[str, Sequence[Column]] = {**pods.COLUMNS, **workloads.COLUMNS, **network.COLUMNS, **others.COLUMNS}
_PLACES = ("Metadata", "Object", "None")


def columns(kind: str) -> Sequence[Column]:
    return _COLUMNS.get(kind, others.DEFAULT)


def include_object(parameter: str) -> str:
    """The value of ?includeObject. Raises StatusError 400."""
    place = parameter or "Metadata"
    if place not in _PLACES:
        raise bad_request(f'unrecognized includeObject value: "{parameter}"')
    return place


def table(
    kind: str, objects: Iterable[Object], api_version: str, include: str, now_s: float, metadata: Object,
    with_columns: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """`include`: what of each object comes along. Without columns: the later events of a watch."""
    shown = columns(kind)
    return {
        "kind": "Table",
        "apiVersion": api_version,
        "metadata": dict(metadata),
        "columnDefinitions": [_definition(each) for each in shown] if with_columns else None,
        "rows": [
            {"cells": [each.value(obj, now_s) for each in shown], **_object(obj, include, api_version)}
            for obj in objects
        ],
    }


def partial(obj: Object, api_version: str) -> dict[str, Any]:
    return {"kind": "PartialObjectMetadata", "apiVersion": api_version, "metadata": obj["metadata"]}


def _definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": "",
        "priority": column.priority,
    }


def _object(obj: Object, include: str, api_version: str) -> dict[str, Any]:
    if include == "None":
        return {}
    return {"object": obj if include == "Object" else partial(obj, api_version)}
