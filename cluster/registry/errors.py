"""What the API answers when it refuses: metav1.Status, reason by reason (apimachinery/pkg/api/errors/errors.go)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cluster.objects import Object
from cluster.resources import Resource

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
EXPIRED_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the continue parameter."
)


@dataclass(frozen=True, slots=True)
class Cause:
    """metav1.StatusCause: `reason` as FieldValueInvalid or FieldManagerConflict, `field` as spec.ports[0].port."""

    reason: str
    message: str
    field: str = ""

    def to_json(self) -> Object:
        field = {"field": self.field} if self.field else {}
        return {"reason": self.reason, "message": self.message, **field}


class StatusError(Exception):
    """A request that is refused. `status` is the metav1.Status to answer with, `code` its HTTP status."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    @property
    def status(self) -> Object:
        details = {"details": self.details} if self.details else {}
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **details,
            "code": self.code,
        }

    @property
    def retry_after_s(self) -> int | None:
        """The value of the Retry-After header, if there is one."""
        return (self.details or {}).get("retryAfterSeconds")


def qualified_kind(resource: Resource) -> str:
    """ "Pod", "Deployment.apps"."""
    return f"{resource.kind}.{resource.group}" if resource.group else resource.kind


def _details(resource: Resource, name: str, causes: Sequence[Cause] = ()) -> Object:
    group = {"group": resource.group} if resource.group else {}
    listed = {"causes": [cause.to_json() for cause in causes]} if causes else {}
    return {**({"name": name} if name else {}), **group, "kind": resource.plural, **listed}


def success(resource: Resource, name: str, uid: str) -> Object:
    """The Status that a deletion answers with when nothing of the object is left."""
    details = {**_details(resource, name), "uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def not_found(resource: Resource, name: str) -> StatusError:
    message = f"{resource.qualified_name} {quoted(name)} not found"
    return StatusError(404, "NotFound", message, _details(resource, name))


def already_exists(resource: Resource, name: str) -> StatusError:
    message = f"{resource.qualified_name} {quoted(name)} already exists"
    return StatusError(409, "AlreadyExists", message, _details(resource, name))


def conflict(resource: Resource, name: str, why: str = MODIFIED) -> StatusError:
    message = f"Operation cannot be fulfilled on {resource.qualified_name} {quoted(name)}: {why}"
    return StatusError(409, "Conflict", message, _details(resource, name))


def apply_conflict(message: str, causes: Sequence[Cause]) -> StatusError:
    return StatusError(409, "Conflict", message, {"causes": [cause.to_json() for cause in causes]})


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> StatusError:
    """Each cause's message is all of a field.Error but the field's path."""
    said = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    why = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    message = f"{qualified_kind(resource)} {quoted(name)} is invalid: {why}"
    return StatusError(422, "Invalid", message, {**_details(resource, name, causes), "kind": resource.kind})


def invalid_options(kind: str, cause: Cause) -> StatusError:
    """Of a request's options, which are a type of meta.k8s.io without a name."""
    message = f'{kind}.meta.k8s.io "" is invalid: {cause.field}: {cause.message}'
    return StatusError(422, "Invalid", message, {"group": "meta.k8s.io", "kind": kind, "causes": [cause.to_json()]})


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def expired(message: str) -> StatusError:
    return StatusError(410, "Expired", message)


def too_old(revision: int, oldest: int) -> StatusError:
    return expired(f"too old resource version: {revision} ({oldest})")


def forbidden(resource: Resource, name: str, why: str, causes: Sequence[Cause] = ()) -> StatusError:
    message = f"{resource.qualified_name} {quoted(name)} is forbidden: {why}"
    return StatusError(403, "Forbidden", message, _details(resource, name, causes))


def namespace_terminating(resource: Resource, name: str, namespace: str) -> StatusError:
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    cause = Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
    return forbidden(resource, name, why, [cause])


def method_not_allowed(resource: Resource, verb: str) -> StatusError:
    message = f"{verb} is not supported on resources of kind {quoted(resource.qualified_name)}"
    return StatusError(405, "MethodNotAllowed", message, _details(resource, ""))


def unsupported_media_type(found: str, supported: Sequence[str]) -> StatusError:
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(supported)}"
    return StatusError(415, "UnsupportedMediaType", message, {"causes": [{"message": f"found {found}"}]})


def not_acceptable(supported: Sequence[str]) -> StatusError:
    message = f"only the following media types are accepted: {', '.join(supported)}"
    return StatusError(406, "NotAcceptable", message)


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def too_many_requests(message: str, retry_after_s: int, causes: Sequence[Cause] = ()) -> StatusError:
    listed = {"causes": [cause.to_json() for cause in causes]} if causes else {}
    return StatusError(429, "TooManyRequests", message, {**listed, "retryAfterSeconds": retry_after_s})


def service_unavailable(message: str) -> StatusError:
    return StatusError(503, "ServiceUnavailable", message)


def internal_error(message: str) -> StatusError:
    return StatusError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})


def request_too_large(limit_bytes: int) -> StatusError:
    message = f"Request entity too large: limit is {limit_bytes}"
    return StatusError(413, "RequestEntityTooLarge", message)


def quoted(value: Any) -> str:
    """As Go's %q."""
    return json.dumps(str(value), ensure_ascii=False)
