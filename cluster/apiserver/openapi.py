"""/openapi/v2 and /openapi/v3: made from the schemas when they are first asked for, then kept.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cluster import kinds, resources
from cluster.apiserver import discovery, negotiation, openapi_paths, openapi_proto, openapi_schemas
from cluster.apiserver.responses import content
from cluster.json_text import dumps
from cluster.registry.errors import not_acceptable

_JSON_NAMES = ("*/*", "application/*", "application/json")
_HASH_LENGTH = 64


def respond(request: Request, words: Sequence[str]) -> Response | None:
    """The answer for /openapi/WORDS; None when there is nothing."""
    if words == ["v2"]:
        return _v2(request)
    if words == ["v3"]:
        return content(request, dumps({"paths": _index()}).encode(), "application/json")
    if words[:1] == ["v3"] and "/".join(words[1:]) in _groups():
        response = content(request, group_document("/".join(words[1:])), "application/json")
        response.headers["etag"] = f'"{_hash("/".join(words[1:]))}"'
        return response
    return None


def _v2(request: Request) -> Response:
    for wanted in negotiation.parse(request.headers.get("accept", "") or "*/*"):
        if wanted.name in openapi_proto.ACCEPTED:
            return content(request, v2_protobuf(), openapi_proto.CONTENT_TYPE)
        if wanted.name in _JSON_NAMES:
            return content(request, v2_json(), "application/json")
    raise not_acceptable(["application/json", openapi_proto.CONTENT_TYPE])


@cache
def v2_json() -> bytes:
    return dumps(_v2_document()).encode()


@cache
def v2_protobuf() -> bytes:
    return openapi_proto.document(_v2_document())


def _v2_document() -> Mapping[str, Any]:
    return {
        "swagger": "2.0",
        "info": _info(),
        "paths": openapi_paths.paths(resources.resources(), 2),
        "definitions": openapi_schemas.v2(),
    }


@cache
def group_document(path: str) -> bytes:
    """Version 3's document of one group version; `path` as "apis/apps/v1"."""
    served = _groups()[path]
    names = kinds.definition_names()
    needed = {names[one.api_version, one.kind] for one in served}
    needed |= {
        names[f"{sub.group}/{sub.version}", sub.kind] for one in served for sub in one.subresources if sub.version
    }
    return dumps(
        {
            "openapi": "3.0.0",
            "info": _info(),
            "paths": openapi_paths.paths(served, 3),
            "components": {"schemas": openapi_schemas.v3(frozenset(needed))},
        }
    ).encode()


@cache
def _groups() -> Mapping[str, Sequence[resources.Resource]]:
    found: dict[str, list[resources.Resource]] = {}
    for one in resources.resources():
        found.setdefault(f"apis/{one.api_version}" if one.group else f"api/{one.version}", []).append(one)
    return found


def _index() -> Mapping[str, Any]:
    return {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={_hash(path)}"} for path in _groups()}


def _hash(path: str) -> str:
    """The documents follow from the schemas' version, so it need not be made of their content."""
    return hashlib.sha256(f"{_info()['version']} {path}".encode()).hexdigest()[:_HASH_LENGTH].upper()


def _info() -> Mapping[str, str]:
    return {"title": "Kubernetes", "version": discovery.version()["gitVersion"]}
