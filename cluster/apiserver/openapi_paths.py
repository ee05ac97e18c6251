"""The operations of the API as OpenAPI lists them: which verbs a path has, with which parameters, on which kind.

kubectl looks here whether a server knows `dryRun` and `fieldValidation`, and by which path a kind is reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cluster.resources import Resource

Operation = dict[str, Any]

LIST_PARAMETERS = (
    *("allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "pretty", "resourceVersion"),
    *("resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch"),
)
WRITE_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "pretty")
PATCH_PARAMETERS = (*WRITE_PARAMETERS, "force")
DELETE_PARAMETERS = ("dryRun", "gracePeriodSeconds", "orphanDependents", "pretty", "propagationPolicy")

_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("allowWatchBookmarks", "force", "orphanDependents", "sendInitialEvents", "watch"), "boolean"),
    **dict.fromkeys(("gracePeriodSeconds", "limit", "timeoutSeconds"), "integer"),
}
"""Of the parameters that are no strings."""

_OPERATIONS: Mapping[str, Sequence[tuple[str, str, Sequence[str]]]] = {
    "collection": (
        ("get", "list", LIST_PARAMETERS),
        ("post", "create", WRITE_PARAMETERS),
        ("delete", "deletecollection", (*LIST_PARAMETERS, *DELETE_PARAMETERS)),
    ),
    "object": (
        ("get", "get", ("pretty",)),
        ("put", "update", WRITE_PARAMETERS),
        ("patch", "patch", PATCH_PARAMETERS),
        ("delete", "delete", DELETE_PARAMETERS),
    ),
    "subresource": (
        ("get", "get", ("pretty",)),
        ("put", "update", WRITE_PARAMETERS),
        ("patch", "patch", PATCH_PARAMETERS),
        ("post", "create", WRITE_PARAMETERS),
        ("delete", "delete", DELETE_PARAMETERS),
    ),
}
"""Where -> (HTTP method, verb, parameters)."""


def paths(resources: Sequence[Resource], version: int) -> dict[str, dict[str, Any]]:
    """`version`: 2 or 3 of OpenAPI."""
    found: dict[str, dict[str, Any]] = {}
    for resource in resources:
        for path, where, verbs, kind in _places(resource):
            methods = {
                method: _operation(resource, kind, verb, parameters, version)
                for method, verb, parameters in _OPERATIONS[where]
                if verb in verbs
            }
            if methods:
                found[path] = {**methods, "parameters": _path_parameters(path, version)}
    return found


Place = tuple[str, str, Sequence[str], Mapping[str, str]]
"""Path, what it is, the verbs that it has, the group, version and kind that it is about."""


def _places(resource: Resource) -> Iterator[Place]:
    root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    own = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    base = f"{root}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"{root}/{resource.plural}"
    yield base, "collection", resource.verbs, own
    if resource.namespaced and resource.is_stored:
        yield f"{root}/{resource.plural}", "collection", ("list",), own
    if resource.is_stored:
        yield f"{base}/{{name}}", "object", resource.verbs, own
    for one in resource.subresources:
        other = {"group": one.group, "version": one.version} if one.version else {}
        yield f"{base}/{{name}}/{one.name}", "subresource", one.verbs, {**own, **other, "kind": one.kind}


def _operation(
    resource: Resource, kind: Mapping[str, str], verb: str, parameters: Sequence[str], version: int
) -> Operation:
    return {
        "description": f"{verb} {resource.plural}",
        "parameters": [parameter(name, "query", version) for name in parameters],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": {"create": "post", "update": "put"}.get(verb, verb),
        "x-kubernetes-group-version-kind": dict(kind),
    }


def _path_parameters(path: str, version: int) -> list[dict[str, Any]]:
    return [parameter(name, "path", version) for name in ("namespace", "name") if f"{{{name}}}" in path]


def parameter(name: str, place: str, version: int) -> dict[str, Any]:
    kind = _TYPES.get(name, "string")
    described: dict[str, Any] = {"name": name, "in": place, "uniqueItems": True}
    if place == "path":
        described["required"] = True
    if version == 2:
        return {**described, "type": kind}
    return {"name": name, "in": place, **({"required": True} if place == "path" else {}), "schema": {"type": kind}}
