"""What the server keeps of an object's metadata and status whatever a request says (pkg/registry/rest/create.go, update.go)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cluster.objects import ATTACHMENT_ANNOTATION, Object
from cluster.registry import errors, types
from cluster.registry.errors import Cause, quoted
from cluster.resources import Resource

_SERVERS = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink")
"""Metadata that only the server sets."""

GENERATE_NAME_LENGTH = 58
"""metadata.generateName is cut to this, so that five characters fit behind it."""


def has_status(resource: Resource) -> bool:
    return "status" in types.of(resource).fields


def check_place(resource: Resource, namespace: str, name: str | None, obj: Object) -> Object:
    """The object with its namespace; raises StatusError where the object and the path disagree."""
    metadata: Object = dict(obj.get("metadata") or {})
    if resource.namespaced:
        if metadata.get("namespace", namespace) not in (namespace, ""):
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        metadata["namespace"] = namespace
    elif metadata.get("namespace"):
        metadata.pop("namespace")
    if name is not None:
        given = metadata.setdefault("name", name)
        if given != name:
            raise errors.bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
    return {**obj, "metadata": metadata}


def for_create(resource: Resource, obj: Object, generated: Callable[[str], str]) -> Object:
    """A new object's metadata: what only the server sets is dropped, a name is `generated` from generateName."""
    metadata = {field: value for field, value in obj["metadata"].items() if field not in _SERVERS}
    if metadata.pop("resourceVersion", "") not in ("", "0"):
        raise errors.bad_request("resourceVersion should not be set on objects to be created")
    if not metadata.get("name"):
        prefix = metadata.get("generateName")
        if not prefix:
            cause = Cause("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")
            raise errors.invalid(resource, "", [cause])
        metadata["name"] = generated(prefix[:GENERATE_NAME_LENGTH])
    new: Object = {**obj, "metadata": metadata}
    if has_status(resource) and resource.subresource("status"):
        new.pop("status", None)
    return new


def for_update(resource: Resource, obj: Object, stored: Object) -> Object:
    """The object in place of `stored`: identity and status stay. Raises StatusError 409 where it is out of date."""
    new = _with_identity(resource, obj, stored)
    if resource.kind == "Namespace":
        new["spec"] = stored.get("spec") or {}  # only `finalize` changes it
    if resource.subresource("status"):
        new.pop("status", None)
        if "status" in stored:
            new["status"] = stored["status"]
    return new


def for_status_update(resource: Resource, obj: Object, stored: Object) -> Object:
    """Only the status of `obj` counts, and its managed fields."""
    given = _with_identity(resource, obj, stored)
    metadata = dict(stored["metadata"])
    if "managedFields" in given["metadata"]:
        metadata["managedFields"] = given["metadata"]["managedFields"]
    status = {"status": obj["status"]} if "status" in obj else {}
    return {**{field: value for field, value in stored.items() if field != "status"}, "metadata": metadata, **status}


def _with_identity(resource: Resource, obj: Object, stored: Object) -> Object:
    old: Mapping[str, Any] = stored["metadata"]
    metadata = {field: value for field, value in obj["metadata"].items() if field not in _SERVERS}
    name = old["name"]
    if (uid := obj["metadata"].get("uid")) and uid != old["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['uid']}"
        raise errors.conflict(resource, name, why)
    if (version := metadata.pop("resourceVersion", "")) and version != old["resourceVersion"]:
        raise errors.conflict(resource, name)
    kept = {field: old[field] for field in (*_SERVERS, "resourceVersion") if field in old}
    attachment = (old.get("annotations") or {}).get(ATTACHMENT_ANNOTATION)
    if attachment is not None:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), ATTACHMENT_ANNOTATION: attachment}
    return {**obj, "metadata": {**metadata, **kept}}


def check_preconditions(resource: Resource, stored: Object, uid: str | None, resource_version: str | None) -> None:
    """metav1.Preconditions. Raises StatusError 409."""
    metadata = stored["metadata"]
    if uid is not None and uid != metadata["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {metadata['uid']}"
        raise errors.conflict(resource, metadata["name"], why)
    if resource_version is not None and resource_version != metadata["resourceVersion"]:
        why = (
            f"Precondition failed: ResourceVersion in precondition: {resource_version}, "
            f"ResourceVersion in object meta: {metadata['resourceVersion']}"
        )
        raise errors.conflict(resource, metadata["name"], why)


def check_namespace(resource: Resource, namespace: str, name: str, stored: Object | None) -> None:
    """admission plugin NamespaceLifecycle: nothing is created in a namespace that is not there, or is going."""
    if stored is None:
        raise errors.StatusError(
            404, "NotFound", f"namespaces {quoted(namespace)} not found", {"name": namespace, "kind": "namespaces"}
        )
    if stored["metadata"].get("deletionTimestamp"):
        raise errors.namespace_terminating(resource, name, namespace)
