"""What comes with a request: its body in JSON or YAML, its options in the query."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from cluster.apiserver import negotiation, protobuf
from cluster.reading import documents
from cluster.registry import errors
from cluster.registry.requests import PATCH_CONTENT_TYPES, DeleteOptions, PatchType, Query, WriteOptions

MAX_BYTES = 3 * 1024 * 1024
"""As the real server: etcd takes no larger objects, and what is larger is no object."""

_TRUE = ("1", "true", "True")
_FALSE = ("0", "false", "False", "")
_ALL = ["All"]
_VALIDATIONS = ("Strict", "Warn", "Ignore")
_APPLY = "apply"


async def read(request: Request) -> bytes:
    """Raises StatusError 413."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MAX_BYTES:
        raise errors.request_too_large(MAX_BYTES)
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MAX_BYTES:
            raise errors.request_too_large(MAX_BYTES)
    return bytes(content)


async def obj(request: Request) -> Any:
    """The value in the body. Raises StatusError 400, 413, 415."""
    content = await read(request)
    name = _content_type(request)
    if name in ("", negotiation.JSON):
        return _json(content)
    if name in ("application/yaml", "application/x-yaml", "text/yaml"):
        return _yaml(content)
    if name == protobuf.CONTENT_TYPE:
        return _protobuf(content)
    raise errors.unsupported_media_type(name, [*negotiation.SUPPORTED, protobuf.CONTENT_TYPE])


async def patch(request: Request) -> tuple[PatchType, Any]:
    """Of which type a patch is, and the patch. Raises StatusError 400, 413, 415."""
    name = _content_type(request)
    if name not in PATCH_CONTENT_TYPES:
        raise errors.unsupported_media_type(name, list(PATCH_CONTENT_TYPES))
    content = await read(request)
    return PATCH_CONTENT_TYPES[name], _yaml(content) if name.endswith("+yaml") else _json(content)


async def delete_options(request: Request) -> DeleteOptions:
    """From the body, else from the query. Raises StatusError."""
    content = await read(request)
    is_protobuf = content and _content_type(request) == protobuf.CONTENT_TYPE
    given = _protobuf(content) if is_protobuf else _json(content) if content else {}
    if not isinstance(given, dict) or given.get("kind", "DeleteOptions") != "DeleteOptions":
        raise errors.bad_request("the body must be a DeleteOptions")
    query = request.query_params
    preconditions = given.get("preconditions") or {}
    grace = given.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    policy = given.get("propagationPolicy", query.get("propagationPolicy"))
    orphans = given.get("orphanDependents", flag(request, "orphanDependents"))
    if policy is None and orphans is not None:
        policy = "Orphan" if orphans else "Background"
    return DeleteOptions(
        _dry_run(given.get("dryRun") or query.getlist("dryRun")),
        None if grace is None else _integer("gracePeriodSeconds", grace),
        policy, preconditions.get("uid"), preconditions.get("resourceVersion"),
    )  # fmt: skip


def write_options(request: Request, patch_type: PatchType | None = None) -> WriteOptions:
    """Raises StatusError."""
    query = request.query_params
    validation = query.get("fieldValidation") or "Warn"
    if validation not in _VALIDATIONS:
        raise _invalid("fieldValidation", validation, _VALIDATIONS)
    # An apply has to name its manager; for everybody else it is the program that asks.
    manager = query.get("fieldManager") or ("" if patch_type == _APPLY else _program(request))
    force = flag(request, "force") or False
    return WriteOptions(_dry_run(query.getlist("dryRun")), manager, validation, force)  # type: ignore[arg-type]


def query(request: Request) -> Query:
    """Raises StatusError 400."""
    given = request.query_params
    return Query(
        label_selector=given.get("labelSelector", ""),
        field_selector=given.get("fieldSelector", ""),
        limit=_integer("limit", given.get("limit") or 0),
        continue_token=given.get("continue", ""),
        resource_version=given.get("resourceVersion", ""),
        resource_version_match=given.get("resourceVersionMatch", ""),
        allow_watch_bookmarks=flag(request, "allowWatchBookmarks") or False,
        send_initial_events=flag(request, "sendInitialEvents"),
    )


def flag(request: Request, name: str) -> bool | None:
    """None where it is not given. Raises StatusError 400."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if text not in (*_TRUE, *_FALSE):
        raise errors.bad_request(f"{name}: found {text!r}; must be true or false")
    return text in _TRUE


def timeout_s(request: Request) -> float | None:
    given = request.query_params.get("timeoutSeconds")
    return float(_integer("timeoutSeconds", given)) if given else None


def _content_type(request: Request) -> str:
    return next((one.name for one in negotiation.parse(request.headers.get("content-type", ""))), "")


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise errors.bad_request(f"the object provided is unrecognized: {error}") from error


def _yaml(content: bytes) -> Any:
    try:
        return documents.value(content)
    except ValueError as error:
        raise errors.bad_request(f"error parsing YAML: {error}") from error


def _protobuf(content: bytes) -> Any:
    try:
        return protobuf.decode(content)
    except ValueError as error:
        raise errors.bad_request(f"the object provided is unrecognized: {error}") from error


def _integer(name: str, value: object) -> int:
    try:
        if isinstance(value, bool | float):
            raise ValueError
        return int(str(value))
    except ValueError as error:
        raise errors.bad_request(f"{name}: found {value!r}; must be a whole number") from error


def _dry_run(values: object) -> bool:
    if values not in ([], _ALL):
        raise _invalid("dryRun", values, _ALL)
    return values == _ALL


def _invalid(field: str, value: object, supported: Sequence[str]) -> errors.StatusError:
    words = ", ".join(map(errors.quoted, supported))
    message = f"Unsupported value: {errors.quoted(value)}: supported values: {words}"
    return errors.invalid_options("Options", errors.Cause("FieldValueNotSupported", message, field))


def _program(request: Request) -> str:
    """ "kubectl" of "kubectl/v1.20.2 (linux/amd64) …"."""
    return request.headers.get("user-agent", "").partition("/")[0] or "unknown"
