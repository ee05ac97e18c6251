"""Subresources that are created: a binding, an eviction, a token of a service account."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from cluster import deletion
from cluster.draft import Draft
from cluster.objects import Object
from cluster.registry import errors, eviction, metadata
from cluster.registry.errors import StatusError, quoted
from cluster.resources import Resource

_DEFAULT_EXPIRATION_S = 3600
_MIN_EXPIRATION_S = 600
_MAX_EXPIRATION_S = 2**32

SUCCESS: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a token is to say: whose it is, for whom, how long, and with which object it ends ({"pod": {"name", "uid"}})."""

    namespace: str
    name: str
    uid: str
    audiences: Sequence[str]
    expiration_s: int
    bound: Mapping[str, Any]


TokenSigner = Callable[[TokenRequest], tuple[str, float]]
"""The token, and when it expires, in seconds since the epoch."""


def bind(draft: Draft, resource: Resource, pod: Object, body: Object) -> Object:
    """Put a pod on a node, once (pkg/registry/core/pod/storage/storage.go, assignPod)."""
    name = pod["metadata"]["name"]
    target = body.get("target") or {}
    node = target.get("name")
    if target.get("kind", "Node") not in ("Node", "") or not node:
        cause = errors.Cause("FieldValueRequired", "Required value", "target.name")
        raise errors.invalid(resource, name, [cause])
    wanted = (body.get("metadata") or {}).get("uid")
    metadata.check_preconditions(resource, pod, wanted or None, None)
    if deletion.is_deleting(pod):
        raise errors.conflict(resource, name, f"pod {name} is being deleted, cannot be assigned to a host")
    if bound := pod["spec"].get("nodeName"):
        raise errors.conflict(resource, name, f"pod {name} is already assigned to node {quoted(bound)}")
    conditions = [one for one in pod.get("status", {}).get("conditions", ()) if one["type"] != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": draft.now}
    draft.put({
        **pod,
        "spec": {**pod["spec"], "nodeName": node},
        "status": {**pod.get("status", {}), "conditions": [*conditions, scheduled]},
    })  # fmt: skip
    return SUCCESS


def evict(draft: Draft, resource: Resource, pod: Object, body: Object) -> Object:
    options = body.get("deleteOptions") or {}
    preconditions = options.get("preconditions") or {}
    metadata.check_preconditions(resource, pod, preconditions.get("uid"), preconditions.get("resourceVersion"))
    eviction.evict(draft, pod, deletion.DeleteOptions(options.get("gracePeriodSeconds")))
    return SUCCESS


def request_token(draft: Draft, resource: Resource, account: Object, body: Object, sign: TokenSigner) -> Object:
    """authentication.k8s.io/v1 TokenRequest, answered with its status."""
    spec: Object = body.get("spec") or {}
    name = account["metadata"]["name"]
    expiration_s = spec.get("expirationSeconds") or _DEFAULT_EXPIRATION_S
    if not _MIN_EXPIRATION_S <= expiration_s <= _MAX_EXPIRATION_S:
        detail = "may not specify a duration less than 10 minutes or larger than 2^32 seconds"
        cause = errors.Cause("FieldValueInvalid", f"Invalid value: {expiration_s}: {detail}", "spec.expirationSeconds")
        raise errors.invalid(Resource("authentication.k8s.io", "v1", "TokenRequest", "", "", True), name, [cause])
    home = account["metadata"]["namespace"]
    bound = _bound(draft, home, spec.get("boundObjectRef"))
    audiences = spec.get("audiences") or []
    token, expires_at_s = sign(TokenRequest(home, name, account["metadata"]["uid"], audiences, expiration_s, bound))
    expiry = datetime.fromtimestamp(expires_at_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name, "namespace": home, "creationTimestamp": draft.now},
        "spec": {**spec, "audiences": audiences, "expirationSeconds": expiration_s},
        "status": {"token": token, "expirationTimestamp": expiry},
    }


def _bound(draft: Draft, home: str, reference: Mapping[str, Any] | None) -> Object:
    if not reference:
        return {}
    kind, name = str(reference.get("kind", "")), str(reference.get("name", ""))
    if kind not in ("Pod", "Secret", "Node"):
        raise errors.bad_request(f"cannot bind token to object of type {kind}")
    key = (kind, "" if kind == "Node" else home, name)
    obj = draft.get(key)
    if obj is None:
        what = f"{kind.lower()}s"
        raise StatusError(404, "NotFound", f"{what} {quoted(name)} not found", {"name": name, "kind": what})
    uid = obj["metadata"]["uid"]
    if reference.get("uid") not in (None, "", uid):
        raise StatusError(409, "Conflict", f"the UID in the bound object reference ({reference['uid']}) does not match "
                          f"the UID in record. The object might have been deleted and then recreated")  # fmt: skip
    return {kind.lower(): {"name": name, "uid": uid}}
