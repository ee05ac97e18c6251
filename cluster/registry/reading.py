"""get and list: selectors, pages, and states of the past (apiserver/pkg/storage/etcd3/store.go).

A page is of one revision: the state of then is the state of now with the changes since undone.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from cluster.draft import Key
from cluster.objects import Object
from cluster.registry import errors, selecting, versions
from cluster.registry.requests import Listing, Query
from cluster.resources import Resource
from cluster.store import CompactedError, Store

_MATCHES = ("Exact", "NotOlderThan")
_CONTINUE_VERSION = "meta.k8s.io/v1"


def key_of(resource: Resource, namespace: str | None, name: str) -> Key:
    return resource.kind, (namespace or "") if resource.namespaced else "", name


def get(store: Store, resource: Resource, namespace: str | None, name: str) -> Object:
    """The stored object. Raises StatusError 404."""
    obj = store.get(key_of(resource, namespace, name))
    if obj is None:
        raise errors.not_found(resource, name)
    return obj


def listing(store: Store, resource: Resource, namespace: str | None, query: Query) -> Listing:
    selector = selecting.parse(resource, query.label_selector, query.field_selector)
    revision, start = _place(store, query)
    objects = _state(store, resource.kind, revision)
    if namespace and resource.namespaced:
        objects = {key: obj for key, obj in objects.items() if key[1] == namespace}
    keys = sorted(key for key, obj in objects.items() if selector.matches(obj))
    if start is not None:
        keys = [key for key in keys if key[1:] > start]
    page = keys[: query.limit] if query.limit > 0 else keys
    items = [versions.served(objects[key], resource) for key in page]
    left = len(keys) - len(page)
    token = _token(revision, page[-1]) if left else ""
    # "Servers … remainingItemCount is not set for requests with label or field selectors."
    remaining = left if left and not selector else None
    return Listing(resource, items, str(revision), token, remaining)


def revision_of(text: str) -> int:
    """Raises StatusError 400."""
    if not text.isascii() or not text.isdigit():
        raise errors.bad_request(f"invalid resource version {errors.quoted(text)}: must be a number")
    return int(text)


def newest_or(store: Store, revision: int) -> int:
    """Raises StatusError 504 for a revision of the future."""
    if revision > store.revision:
        message = f"Too large resource version: {revision}, current: {store.revision}"
        cause = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}
        raise errors.StatusError(504, "Timeout", message, {**cause, "retryAfterSeconds": 1})
    return revision


def _place(store: Store, query: Query) -> tuple[int, tuple[str, str] | None]:
    """The revision to list at, and behind which (namespace, name) to start."""
    if query.limit < 0:
        raise errors.bad_request(f"limit: Invalid value: {query.limit}: must be greater than or equal to 0")
    match, text = query.resource_version_match, query.resource_version
    if match:
        _check_match(query)
    if query.continue_token:
        if text not in ("", "0"):
            raise errors.bad_request("specifying resource version is not allowed when using continue")
        return _read_token(store, query.continue_token)
    revision = newest_or(store, revision_of(text)) if text else 0
    if match != "Exact":
        return store.revision, None
    if revision < store.oldest_revision:
        raise errors.expired(f"The resourceVersion for the provided list is too old: {revision}")
    return revision, None


def _check_match(query: Query) -> None:
    """apimachinery/pkg/apis/meta/internalversion/validation, ValidateListOptions."""
    match, field = query.resource_version_match, "resourceVersionMatch"
    if query.continue_token:
        raise _refused(f"{field}: Forbidden: {field} is forbidden when continue is provided")
    if not query.resource_version:
        raise _refused(f"{field}: Forbidden: {field} is forbidden unless resourceVersion is provided")
    if match not in _MATCHES:
        raise _refused(f'{field}: Unsupported value: "{match}": supported values: "Exact", "NotOlderThan"')
    if match == "Exact" and query.resource_version == "0":
        raise _refused(f'{field}: Forbidden: {field} "exact" is forbidden for resourceVersion "0"')


def _refused(cause: str) -> errors.StatusError:
    field, _, message = cause.partition(": ")
    text = f'ListOptions.meta.k8s.io "" is invalid: {cause}'
    details = {"group": "meta.k8s.io", "kind": "ListOptions", "causes": [{"field": field, "message": message}]}
    return errors.StatusError(422, "Invalid", text, details)


def _state(store: Store, kind: str, revision: int) -> dict[Key, Object]:
    """All objects of a kind as they were at a revision."""
    objects = dict(store.of_kind(kind))
    if revision == store.revision:
        return objects
    try:
        changes = store.changes_since(revision, kind)
    except CompactedError as error:
        raise errors.expired(errors.EXPIRED_CONTINUE) from error
    for change in reversed(changes):
        if change.previous is None:
            objects.pop(change.key, None)
        else:
            objects[change.key] = change.previous
    return objects


def _token(revision: int, last: Key) -> str:
    content: dict[str, Any] = {"v": _CONTINUE_VERSION, "rv": revision, "start": "/".join(last[1:]) + "\0"}
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _read_token(store: Store, token: str) -> tuple[int, tuple[str, str]]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        revision, start = int(content["rv"]), str(content["start"])
        if content["v"] != _CONTINUE_VERSION or not start.endswith("\0"):
            raise ValueError("another form")
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise errors.bad_request(
            "continue key is not valid: it must be the one that the last page came with"
        ) from error
    if not store.oldest_revision <= revision <= store.revision:
        raise errors.expired(errors.EXPIRED_CONTINUE)
    namespace, _, name = start[:-1].rpartition("/")
    return revision, (namespace, name)
