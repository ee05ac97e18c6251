"""Requests in the form of objects: who am I, may I, whose token is this. There is no authorisation, so everybody may.

https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cluster.apiserver import tokens
from cluster.apiserver.authentication import User
from cluster.registry import errors
from cluster.resources import Resource

KINDS = frozenset((
    "LocalSubjectAccessReview", "SelfSubjectAccessReview", "SelfSubjectReview", "SelfSubjectRulesReview",
    "SubjectAccessReview", "TokenReview",
))  # fmt: skip

_EVERYTHING = ["*"]


def answer(resource: Resource, given: Any, user: User, by_token: Callable[[str], User | None]) -> dict[str, Any]:
    """The object that was sent, with its status. Raises StatusError 400."""
    if not isinstance(given, Mapping) or given.get("kind", resource.kind) != resource.kind:
        raise errors.bad_request(f"the body must be a {resource.kind}")
    spec = given.get("spec") or {}
    if not isinstance(spec, Mapping):
        raise errors.bad_request("spec must be an object")
    metadata = {"metadata": {"creationTimestamp": None}}
    status = _status(resource.kind, spec, user, by_token)
    shown_spec = {} if resource.kind == "SelfSubjectReview" else {"spec": dict(spec)}
    return {"kind": resource.kind, "apiVersion": resource.api_version, **metadata, **shown_spec, "status": status}


def _status(
    kind: str, spec: Mapping[str, Any], user: User, by_token: Callable[[str], User | None]
) -> Mapping[str, Any]:
    if kind == "SelfSubjectReview":
        return {"userInfo": user.to_json()}
    if kind == "TokenReview":
        return _token_status(spec, by_token)
    if kind == "SelfSubjectRulesReview":
        return {
            "resourceRules": [{"verbs": _EVERYTHING, "apiGroups": _EVERYTHING, "resources": _EVERYTHING}],
            "nonResourceRules": [{"verbs": _EVERYTHING, "nonResourceURLs": _EVERYTHING}],
            "incomplete": False,
        }
    return {"allowed": True, "reason": "the testbed has no authorisation"}


def _token_status(spec: Mapping[str, Any], by_token: Callable[[str], User | None]) -> Mapping[str, Any]:
    user = by_token(str(spec.get("token", "")))
    if user is None:
        return {"user": {}, "error": "the token is not one of this cluster's"}
    audiences = spec.get("audiences") or [tokens.ISSUER]
    return {"authenticated": True, "user": user.to_json(), "audiences": audiences}
