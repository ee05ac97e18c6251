"""Between a request and the store: unknown fields, defaults, what may not change, what must hold, what is allocated."""

from __future__ import annotations

from collections.abc import Sequence

from cluster import rules
from cluster.draft import Draft
from cluster.model import Cluster
from cluster.objects import Object
from cluster.registry import errors, field_errors, immutable, service_addresses, types
from cluster.registry.decoding import decode, strict_error
from cluster.registry.errors import Cause
from cluster.registry.requests import FieldValidation
from cluster.resources import Resource


def decoded(resource: Resource, given: object, validation: FieldValidation) -> tuple[Object, Sequence[str]]:
    """The object without unknown fields, and the warnings that these are worth. Raises StatusError 400 when strict."""
    result = decode(resource, given)
    if result.unknown and validation == "Strict":
        raise errors.bad_request(strict_error(resource, result.unknown))
    return result.obj, result.unknown if validation == "Warn" else ()


def check(resource: Resource, obj: Object, stored: Object | None) -> None:
    """Raises StatusError 422 with everything that is wrong with a complete object."""
    name = obj["metadata"]["name"]
    causes: list[Cause] = []
    if stored is not None:
        causes += immutable.causes(obj, stored)
    causes += field_errors.required(obj, types.of(resource))
    named = {cause.field for cause in causes}
    said = field_errors.causes(rules.findings(obj), obj)
    causes += [cause for cause in said if cause.field not in named or cause.reason != "FieldValueRequired"]
    if causes:
        raise errors.invalid(resource, name, list(dict.fromkeys(causes)))


def allocated(resource: Resource, obj: Object, stored: Object | None, draft: Draft, cluster: Cluster) -> Object:
    """A Service with its addresses and node ports; anything else as it is. Raises StatusError 422."""
    if resource.kind != "Service":
        return obj
    try:
        return service_addresses.admit(obj, stored, draft.objects("Service"), cluster.service_subnets)
    except service_addresses.RefusedError as error:
        raise errors.invalid(resource, obj["metadata"]["name"], error.causes) from error
