"""The verbs of the API on the store of a control plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from cluster import deletion
from cluster.draft import Draft
from cluster.loops import ControlPlane
from cluster.objects import Object
from cluster.registry import errors, metadata, reading, scale, subresources, versions
from cluster.registry.errors import StatusError
from cluster.registry.reading import key_of
from cluster.registry.requests import Deleted, DeleteOptions, Listing, PatchType, Query, WriteOptions, Written
from cluster.registry.scale import SCALE
from cluster.registry.subresources import TokenSigner
from cluster.registry.watching import Watch
from cluster.registry.writing import FINALIZE, STATUS, Change, Target, Writer
from cluster.resources import Resource

T = TypeVar("T")

_PROPAGATION = ("Background", "Foreground", "Orphan")
_ANSWERED_WHEN_GONE = frozenset((
    "PersistentVolume", "PersistentVolumeClaim", "Pod", "PodTemplate", "ResourceQuota", "Service", "ServiceAccount",
))  # fmt: skip
"""Kinds whose deletion answers with the object, not with a Status, also when nothing is left of it
(ReturnDeletedObject in pkg/registry/core)."""

_NO_MANAGER = "is required for apply patch"


class Registry:
    """Every method raises StatusError where it refuses. Objects that it answers belong to the store: not to be changed.

    `namespace` is None for kinds that have none, and for lists and watches of all namespaces.
    """

    def __init__(self, plane: ControlPlane, sign_token: TokenSigner | None = None) -> None:
        """`sign_token` makes the tokens of service accounts; without one they are refused."""
        self._plane = plane
        self._store = plane.store
        self._sign_token = sign_token

    @property
    def revision(self) -> int:
        return self._store.revision

    def get(self, resource: Resource, namespace: str | None, name: str, subresource: str = "") -> Object:
        obj = reading.get(self._store, resource, namespace, name)
        return scale.of(obj) if subresource == SCALE else versions.served(obj, resource)

    def list(self, resource: Resource, namespace: str | None, query: Query) -> Listing:
        return reading.listing(self._store, resource, namespace, query)

    def watch(self, resource: Resource, namespace: str | None, query: Query) -> Watch:
        return Watch(self._store, resource, namespace, query)

    def create(self, resource: Resource, namespace: str | None, obj: Any, options: WriteOptions) -> Written:
        _check_verb(resource, "create")
        target = Target(resource, _namespace(resource, namespace), None)
        return self._write(target, options, lambda writer: writer.create(target, obj))

    def update(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        obj: Any,
        options: WriteOptions,
        subresource: str = "",
    ) -> Written:
        """`subresource` may be status, scale (`obj` is a Scale then) or a Namespace's finalize."""
        _check_verb(resource, "update")
        target = Target(resource, _namespace(resource, namespace), name, subresource)
        _check_subresource(target)
        if subresource == SCALE:
            return self._write(target, options, lambda writer: writer.rescale(target, lambda _: obj))
        if subresource == FINALIZE:
            return self._write(target, options, lambda writer: writer.finalize(target, obj))
        return self._write(target, options, lambda writer: writer.update(target, obj))

    def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        patch_type: PatchType,
        patch: Any,
        options: WriteOptions,
        subresource: str = "",
    ) -> Written:
        """`patch`: the parsed body. `created` of the answer tells that an apply made the object."""
        _check_verb(resource, "patch")
        if patch_type == "apply" and not options.field_manager:
            message = f'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: {_NO_MANAGER}'
            cause = {
                "reason": "FieldValueRequired",
                "message": f"Required value: {_NO_MANAGER}",
                "field": "fieldManager",
            }
            details = {"group": "meta.k8s.io", "kind": "PatchOptions", "causes": [cause]}
            raise StatusError(422, "Invalid", message, details)
        target = Target(resource, _namespace(resource, namespace), name, subresource)
        _check_subresource(target)
        return self._write(target, options, lambda writer: writer.patch(target, patch_type, patch))

    def create_subresource(
        self, resource: Resource, namespace: str | None, name: str, subresource: str, body: Any, options: WriteOptions
    ) -> Object:
        """`subresource`: binding or eviction of a Pod, token of a ServiceAccount. Answers a Status or a TokenRequest."""
        if not isinstance(body, dict):
            raise errors.bad_request("the body must be a JSON object")

        def change(draft: Draft) -> Object:
            obj = draft.get(key_of(resource, namespace, name))
            if obj is None:
                raise errors.not_found(resource, name)
            if (resource.kind, subresource) == ("Pod", "binding"):
                return subresources.bind(draft, resource, obj, body)
            if (resource.kind, subresource) == ("Pod", "eviction"):
                return subresources.evict(draft, resource, obj, body)
            if (resource.kind, subresource) == ("ServiceAccount", "token") and self._sign_token is not None:
                return subresources.request_token(draft, resource, obj, body, self._sign_token)
            raise errors.method_not_allowed(resource, f"create of {subresource}")

        return self.transaction(change, options.dry_run)

    def delete(self, resource: Resource, namespace: str | None, name: str, options: DeleteOptions) -> Deleted:
        _check_verb(resource, "delete")
        done = self.transaction(lambda draft: _delete(draft, resource, namespace, name, options), options.dry_run)
        left = self._store.get(key_of(resource, namespace, name))
        if options.dry_run or left is None or left["metadata"]["uid"] != done.obj.get("metadata", {}).get("uid"):
            return done
        return Deleted(versions.served(left, resource))  # as the store numbered it

    def delete_collection(
        self, resource: Resource, namespace: str | None, query: Query, options: DeleteOptions
    ) -> Listing:
        """All objects that the query selects; the answer lists them."""
        _check_verb(resource, "deletecollection")
        listed = self.list(resource, namespace, query)

        def change(draft: Draft) -> None:
            for obj in listed.items:
                meta = obj["metadata"]
                _delete(draft, resource, meta.get("namespace"), meta["name"], options)

        self.transaction(change, options.dry_run)
        return listed

    def transaction(self, change: Callable[[Draft], T], dry_run: bool) -> T:
        """Run a change of the draft; a dry run throws it away."""
        return change(self._store.draft()) if dry_run else self._plane.write(change)

    def _write(self, target: Target, options: WriteOptions, act: Callable[[Writer], Change]) -> Written:
        def change(draft: Draft) -> Change:
            return act(Writer(draft, self._plane.cluster, options))

        try:
            done = self.transaction(change, options.dry_run)
        except RecursionError as error:
            raise errors.bad_request("the object is nested too deeply") from error
        obj = done.obj
        if not options.dry_run:
            # As the store numbered it; gone where the write let go of the last finalizer.
            meta = obj["metadata"]
            stored = self._store.get(key_of(target.resource, meta.get("namespace"), meta["name"]))
            obj = stored if stored is not None and stored["metadata"]["uid"] == meta["uid"] else obj
        shown = scale.of(obj) if target.subresource == SCALE else versions.served(obj, target.resource)
        return Written(shown, done.created, done.warnings)


def _namespace(resource: Resource, namespace: str | None) -> str:
    if not resource.namespaced:
        return ""
    if not namespace:
        raise errors.bad_request("an empty namespace may not be set during creation")
    return namespace


def _check_subresource(target: Target) -> None:
    """The others take no writes here: a pod's containers cannot be added to or resized while it runs."""
    if target.subresource not in ("", STATUS, SCALE, FINALIZE, "approval"):
        raise errors.method_not_allowed(target.resource, f"update of {target.subresource}")
    if target.subresource and target.resource.subresource(target.subresource) is None:
        raise errors.not_found(target.resource, target.name or "")


def _check_verb(resource: Resource, verb: str) -> None:
    if verb not in resource.verbs:
        raise errors.method_not_allowed(resource, verb)


def _delete(draft: Draft, resource: Resource, namespace: str | None, name: str, options: DeleteOptions) -> Deleted:
    key = key_of(resource, namespace, name)
    obj = draft.get(key)
    if obj is None:
        raise errors.not_found(resource, name)
    metadata.check_preconditions(resource, obj, options.uid, options.resource_version)
    policy = options.propagation_policy
    if policy is not None and policy not in _PROPAGATION:
        supported = ", ".join(f'"{word}"' for word in _PROPAGATION)
        raise errors.bad_request(
            f'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: {errors.quoted(policy)}: '
            f"supported values: {supported}"
        )
    going = deletion.delete(draft, key, deletion.DeleteOptions(options.grace_period_s, policy))  # type: ignore[arg-type]
    left = draft.get(key)
    if (left is None or going is None) and resource.kind in _ANSWERED_WHEN_GONE:
        return Deleted(versions.served(obj, resource))
    if left is None or going is None:
        return Deleted(errors.success(resource, name, obj["metadata"]["uid"]))
    return Deleted(versions.served(going, resource))
