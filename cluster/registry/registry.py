"""The verbs of the API on the store of a control plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from cluster import deletion
from cluster.draft import Draft
from cluster.loops import ControlPlane
from cluster.objects import Object
from cluster.registry import errors, metadata, reading, versions
from cluster.registry.errors import StatusError
from cluster.registry.reading import key_of
from cluster.registry.requests import Deleted, DeleteOptions, Listing, PatchType, Query, WriteOptions, Written
from cluster.registry.watching import Watch
from cluster.registry.writing import Change, Target, Writer
from cluster.resources import Resource

T = TypeVar("T")

_PROPAGATION = ("Background", "Foreground", "Orphan")
_NO_MANAGER = "is required for apply patch"


class Registry:
    """Every method raises StatusError where it refuses. Objects that it answers belong to the store: not to be changed.

    `namespace` is None for kinds that have none, and for lists and watches of all namespaces.
    """

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._store = plane.store

    @property
    def revision(self) -> int:
        return self._store.revision

    def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        return versions.served(reading.get(self._store, resource, namespace, name), resource)

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
        """`subresource` may be "status"."""
        _check_verb(resource, "update")
        target = Target(resource, _namespace(resource, namespace), name, subresource)
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
        return self._write(target, options, lambda writer: writer.patch(target, patch_type, patch))

    def delete(self, resource: Resource, namespace: str | None, name: str, options: DeleteOptions) -> Deleted:
        _check_verb(resource, "delete")
        return self.transaction(lambda draft: _delete(draft, resource, namespace, name, options), options.dry_run)

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
        return Written(versions.served(obj, target.resource), done.created, done.warnings)


def _namespace(resource: Resource, namespace: str | None) -> str:
    if not resource.namespaced:
        return ""
    if not namespace:
        raise errors.bad_request("an empty namespace may not be set during creation")
    return namespace


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
    if left is None or going is None:
        return Deleted(errors.success(resource, name, obj["metadata"]["uid"]))
    return Deleted(versions.served(going, resource))
